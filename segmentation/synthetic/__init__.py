"""Synthetic portraits and rooms for the demo and the tests: images and their masks."""
