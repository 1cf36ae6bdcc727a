"""Which model ``auto`` is."""

from collections.abc import Sequence

from n2n_core.errors import UnknownModelError
from n2n_core.models.names import AUTO

PREFERENCE = ("photo", "unet", "torch", "scratch")
"""The best first: ``photo`` is for pictures of any origin, the others for point-sampled ones."""


def choose(level: float, models: Sequence[str]) -> str:
    """The model for a picture with noise of ``level``: the first of ``PREFERENCE`` that there is.

    ``photo`` was trained on all levels at once, and of the others, none is for a level of its own: so
    far, ``level`` decides nothing. A picture without noise gets a model, too: "no noise" is a guess.

    Args:
        level: of the noise, in [0, 1], by ``noise_level``.
        models: the names of those that can be used.

    Raises:
        UnknownModelError: there is none of them; what one's own models are for is not known.

    >>> choose(0.1, ["mine", "scratch", "torch"])
    'torch'
    """
    for name in PREFERENCE:
        if name in models:
            return name
    raise UnknownModelError(AUTO, models)
