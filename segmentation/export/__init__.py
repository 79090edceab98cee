"""The phone's formats: writing them, running them here, and proving that they still segment."""
