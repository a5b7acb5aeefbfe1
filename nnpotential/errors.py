"""The one exception that stands for a mistake in what the user gave."""

__all__ = ["InputError"]


class InputError(ValueError):
    """Bad input: one line that says what is wrong and what would be right."""
