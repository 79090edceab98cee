"""Scores of a model against masks, and figures of them."""
