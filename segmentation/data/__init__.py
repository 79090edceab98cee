"""From files of images and masks to batches."""
