"""tinynet's errors. Each is also one of Python's own, so ``except ValueError`` works."""


class ShapeError(ValueError):
    """An array whose shape does not fit: rows for columns, another width or another batch."""


class UnknownNameError(LookupError):
    """A name that no class of the family is registered under."""


class NotBuiltError(RuntimeError):
    """Something does not exist yet: parameters before the first X, gradients before `back`."""


class NonFiniteError(ArithmeticError):
    """NaN or infinity, in the data or because training diverged.

    ``history`` is the history of the epochs that a training finished before, and None elsewhere.
    """

    history: dict[str, list[float]] | None = None


class FileFormatError(ValueError):
    """A file that is damaged, truncated, newer than this version, or was never a tinynet file.

    Also one that is not written, because it could not be read again.
    """


class ConversionError(TypeError):
    """A layer, activation or module that another library has no counterpart of.

    ``where`` is the place in the model that the message begins with.
    """

    where: str = ""


class ParallelError(RuntimeError):
    """Processes that train one model together, and can do so no longer."""


class TrainingWarning(UserWarning):
    """What is likely wrong with a training, where the code may be right all the same."""
