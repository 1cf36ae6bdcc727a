"""The model that ``auto`` stands for."""

from collections.abc import Iterable

from n2n_core.errors import UnknownModelError
from n2n_core.models.names import AUTO

PREFERENCE = ("photo", "unet", "torch", "scratch")
"""Best first: ``photo`` is for pictures of any origin, the others are for point-sampled ones."""


def choose(models: Iterable[str]) -> str:
    """Return the first of ``PREFERENCE`` among ``models``.

    The picture's noise does not matter: ``photo`` was trained on all levels at once, and none of the others
    is for a particular level. A user's own models are never chosen: nothing says what they are for.

    Raises:
        UnknownModelError: none of ``PREFERENCE`` is there.

    >>> choose(["mine", "scratch", "torch"])
    'torch'
    """
    names = list(models)
    for name in PREFERENCE:
        if name in names:
            return name
    raise UnknownModelError(AUTO, names)
