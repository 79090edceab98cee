"""The training loop, what it optimises, and what it begins with."""
