"""Names that the networks and their users share."""

OUTPUT = "mask"  # the output layer that the inference model keeps
AUX = "aux"  # the output layer of the training head that `with_aux_head` adds
UPSAMPLINGS = ("deconvolution", "bilinear")
# Arguments that commands offer as options; each network accepts some of them.
ARGUMENTS = ("alpha", "alpha_up", "depth_multiplier", "upsampling")
