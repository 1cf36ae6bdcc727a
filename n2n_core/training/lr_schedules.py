"""Learning-rate schedules: factors of the peak rate, as functions of the progress from 0 to 1."""

from collections.abc import Callable
from math import cos, pi


def constant(progress: float) -> float:
    """Return 1."""
    return 1.0


def cosine(progress: float) -> float:
    """Return a factor that falls from 1 to 0 along half a cosine.

    Source: Loshchilov and Hutter (arXiv:1608.03983).
    """
    return (1 + cos(pi * progress)) / 2


def onecycle(progress: float, warmup: float = 0.2, start: float = 0.04) -> float:
    """Return a factor that rises from ``start`` to 1 within ``warmup``, then falls to 0, along cosines.

    Source: Smith and Topin, super-convergence (arXiv:1708.07120).

    >>> onecycle(0.0), onecycle(0.2), onecycle(1.0)
    (0.04, 1.0, 0.0)
    """
    if progress < warmup:
        return start + (1 - start) * (1 - cosine(progress / warmup))
    return cosine((progress - warmup) / (1 - warmup))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "onecycle": onecycle,
}
