"""Training: what is asked for, what is optimised, the loop, and the files of a run."""
