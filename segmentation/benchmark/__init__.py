"""What a model costs: milliseconds, megabytes and memory, on this computer and on a phone."""
