"""Networks that were measured to be worth choosing: see docs/results.md."""

# Options of the training commands by the name of the preset.
PRESETS = {
    "fast": {"model": "unet", "encoder": "efficientnet_lite0_half", "alpha_up": 0.5},
    "balanced": {"model": "unet", "encoder": "efficientnet_lite0_half"},
    "exact": {"model": "unet", "encoder": "efficientnet_lite0_short"},
}
