"""Checks of stored points, which share nothing with `points` but potential and identity."""
