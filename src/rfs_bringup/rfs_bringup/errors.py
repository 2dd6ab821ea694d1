"""The one error that the ``rfs`` command shows as a sentence instead of a traceback."""


class SetupError(RuntimeError):
    """Something on this machine stands in the way; the message says what, and the way out."""
