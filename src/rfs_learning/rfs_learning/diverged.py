"""The end of a training whose numbers are no longer finite."""


class DivergedError(RuntimeError):
    """A number of the training is no longer finite; the last checkpoint is from before that."""
