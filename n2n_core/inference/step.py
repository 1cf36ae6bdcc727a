"""Interface of the steps around the network, which ``enhance`` lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from n2n_core.image import Pixels


@dataclass(frozen=True)
class Outputs:
    """Results on their way back from the network.

    Args:
        images: ``(C, H, W)`` each; read once, so that one at a time has to be in memory.
        spread: ``(1, H, W)``, the standard deviation of a self-ensemble's results; None without one.
        stretch: gain of the contrast stretch; None without one.
    """

    images: Iterable[Pixels]
    spread: Pixels | None = None
    stretch: float | None = None


class Step:
    """A step for one picture: ``before`` keeps what ``after`` needs. By default both do nothing."""

    slow_before = slow_after = False
    """True if the method takes long on a large picture. The service then runs it in a thread."""

    def before(self, images: list[Pixels]) -> list[Pixels]:
        """Return what the next step, or the network, gets instead of ``images``, ``(C, H, W)`` each."""
        return images

    def after(self, outputs: Outputs) -> Outputs:
        """Return what the previous step gets instead of ``outputs``."""
        return outputs
