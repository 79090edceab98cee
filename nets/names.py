"""Names that the networks and those who use them share."""

OUTPUT = "mask"  # the layer whose output leaves the training model for the phone
AUX = "aux"  # the layer of one more output for training (`with_aux_head`)
UPSAMPLINGS = ("deconvolution", "bilinear")
# Arguments of networks that commands offer as options; each network takes some of them.
ARGUMENTS = ("alpha", "alpha_up", "depth_multiplier", "upsampling")
