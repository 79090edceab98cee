"""Models of every format as one callable: RGB images in, probabilities out."""
