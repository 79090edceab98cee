"""What the commands share: data, losses, metrics, training and export of segmentation networks."""
