"""Portraits and rooms that demo and tests draw."""
