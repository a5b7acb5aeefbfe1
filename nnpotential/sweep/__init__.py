"""Many landscapes: a grid of settings, whoever maps them, and the table of what was found."""
