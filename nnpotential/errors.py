"""What a mistake, or a surprise, in the user's input is raised or warned as."""

__all__ = ["DataWarning", "InputError"]


class InputError(ValueError):
    """Bad input: one line that says what is wrong and what would be right."""


class DataWarning(UserWarning):
    """Something about the data that was decided, or is so, and may not be expected."""
