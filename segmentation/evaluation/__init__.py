"""Measuring a model against masks: scores, plots and reports."""
