"""Options, help and reports of the commands at the terminal."""
