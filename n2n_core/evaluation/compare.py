"""Methods side by side, on the same pictures in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Any

from torch import Tensor

from n2n_core.evaluation.batches import Batch
from n2n_core.evaluation.figures import Figures
from n2n_core.evaluation.methods import Method
from n2n_core.image.rounding import to_bytes

NOISY = "noisy"
"""What the pictures as they are go by, beside the methods."""

WARM_UP = 64
"""Side of the crop that each method is run on before anything is timed: imports are not its speed."""

Outputs = dict[str, Tensor]
"""Each method's results for a batch, as saved files would be: ``(N, C, H, W)`` uint8; ``NOISY`` is first."""


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Args:
        methods: by their names.
        names: of the pictures.
        sigmas: their noise levels in [0, 1], as the baselines were told.
        figures: of ``NOISY``, and of every method.
    """

    methods: dict[str, Method]
    names: list[str]
    sigmas: list[float]
    figures: dict[str, Figures]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, which has no infinity: None stands for it."""
        pictures = [{"name": n, "sigma": s} for n, s in zip(self.names, self.sigmas, strict=True)]
        return {"pictures": pictures, "methods": [self._of(name) for name in self.figures]}

    def _of(self, name: str) -> dict[str, Any]:
        own, method = self.figures[name], self.methods.get(name, Method(lambda noisy, _: noisy))
        return {
            "name": name,
            "parameters": method.parameters,
            "macs_per_pixel": method.macs,
            "psnr": _finite(own.psnr),
            "psnr_pooled": _finite(own.pooled),
            "ssim": own.ssim,
            "seconds_per_megapixel": own.seconds_per_megapixel if name != NOISY else None,
            "psnrs": list(map(_finite, own.psnrs)),
            "ssims": own.ssims,
        }


def compare(
    methods: dict[str, Method],
    batches: Iterable[Batch],
    see: Callable[[Batch, Outputs], None] = lambda batch, outputs: None,
) -> Comparison:
    """Run all methods on one batch after the other: what else the machine does then hits all alike.

    Args:
        methods: by their names.
        batches: the pictures, at least one.
        see: is shown each batch, and what the methods made of it.
    """
    found = Comparison(methods, [], [], {name: Figures() for name in (NOISY, *methods)})
    for batch in batches:
        if not found.names:
            _warm_up(methods, batch)
        outputs = {NOISY: to_bytes(batch.noisy)}
        for name, method in methods.items():
            began = perf_counter()
            output = method.run(batch.noisy, batch.sigmas)
            found.figures[name].seconds += perf_counter() - began
            outputs[name] = to_bytes(output)
        for name, result in outputs.items():
            found.figures[name].add(result, batch.clean)
        found.names.extend(batch.names)
        found.sigmas.extend(batch.sigmas)
        see(batch, outputs)
    return found


def _warm_up(methods: dict[str, Method], batch: Batch) -> None:
    crop = batch.noisy[:1, :, :WARM_UP, :WARM_UP].contiguous()
    for method in methods.values():
        method.run(crop, batch.sigmas[:1])


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
