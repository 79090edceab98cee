"""Train a semantic segmentation network in Keras and ship it to a phone, as an installed package.

The commands of the checkout are modules here, such as `mobile_segmentation.train_full`, and the
packages that they call are `mobile_segmentation.nets` and `mobile_segmentation.segmentation`.
"""
