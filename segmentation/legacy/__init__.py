"""What other projects and older files left behind."""
