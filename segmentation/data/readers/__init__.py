"""One module for each source layout: where its samples are and what their masks mean."""
