"""Names that the networks and their users share."""

OUTPUT = "mask"  # the output layer that the inference model keeps
AUX = "aux"  # the output layer of the training head that `with_aux_head` adds
UPSAMPLINGS = ("deconvolution", "bilinear")
# Arguments that commands offer as options; each network accepts some of them.
ARGUMENTS = ("encoder", "alpha", "alpha_up", "output_stride", "depth_multiplier", "upsampling")
