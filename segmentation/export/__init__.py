"""Exports for a phone: writing them, and proving that they segment as the model does."""
