"""The errors that n2n raises on bad input.

    N2NError
    |-- ConfigError           a setting or an option has a value that cannot work
    |-- DivergedError         the loss of a training run is not finite
    |-- DataError             a training file, a dataset or a folder of photos cannot be used
    |   |-- ArchiveError      an archive is damaged, or not safe to read
    |   `-- LimitError        data exceed a limit
    |-- ImageError            an image cannot be read, or not written as asked
    |   |-- ImageTooLargeError
    |   |-- SeveralPagesError
    |   `-- TooManyPagesError
    |-- OutOfMemoryError      a training run needs more memory than there is
    |-- ShapeError            a tensor has the wrong shape or type
    |-- StorageError          a file cannot be written: disk full, read-only, no permission
    |-- WeightsError          a weights file or its index cannot be used
    `-- UnknownModelError     no model has this name

Each message quotes the bad value and says what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class N2NError(Exception):
    """Base class of all errors of n2n."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all attributes: by default ``__init__`` would be called with the message alone."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[N2NError], arguments: tuple[Any, ...], values: dict[str, Any]) -> N2NError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(values)
    return error


class ConfigError(N2NError, ValueError):
    """A setting or an option has a value that cannot work.

    Args:
        detail: the bad value, and what was expected.
        field: name of the recipe's field, or the import's option, with the bad value, if it is one.
    """

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class DataError(N2NError, ValueError):
    """A training file, a dataset or a folder of photos cannot be used.

    Args:
        detail: what is wrong, and what was expected.
        field: name of the import's option that does not fit the data, if it is one.
    """

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class ArchiveError(DataError):
    """An archive is damaged, or not safe to read."""


class LimitError(DataError):
    """Data exceed a limit.

    Args:
        limit: name of the limit, a field of ``n2n_core.datasets.importing.archives.Limits``.
        detail: what is wrong.
    """

    def __init__(self, limit: str, detail: str) -> None:
        super().__init__(detail)
        self.limit = limit


class DivergedError(N2NError):
    """The loss of a training run is not finite."""

    def __init__(self, step: int, lr: float) -> None:
        super().__init__(f"the loss is not a number at step {step}: lr is {lr}, try a smaller value")


class ImageError(N2NError, ValueError):
    """An image cannot be read, or cannot be written as asked."""


class SeveralPagesError(ImageError):
    """An image file has several pages, where only one is possible."""


class TooManyPagesError(ImageError):
    """An image file has more pages than is allowed."""


class ImageTooLargeError(ImageError):
    """An image has more pixels or bytes than is allowed."""


class OutOfMemoryError(N2NError):
    """A training run needs more memory than there is."""

    def __init__(self, step: int, batch_size: int, crop: int) -> None:
        got = f"batch_size is {batch_size} and crop {crop}"
        super().__init__(f"out of memory at step {step}: {got}, try a smaller value")


class ShapeError(N2NError, ValueError):
    """A tensor has the wrong shape or type."""

    def __init__(self, where: str, argument: str, got: object, expected: str) -> None:
        super().__init__(f"{where}: {argument} is {got}, expected {expected}")


class StorageError(N2NError):
    """A file cannot be written: disk full, read-only, no permission."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: cannot be written ({reason})")


class WeightsError(N2NError, ValueError):
    """A weights file or its index cannot be used."""


class UnknownModelError(N2NError, KeyError):
    """No model has this name. The message lists the known ones."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(known)
        super().__init__(f"unknown model {name!r}; known models: {', '.join(self.known)}")

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])
