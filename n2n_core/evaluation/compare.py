"""Run several methods on the same pictures, and measure them."""

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
"""Name of the unprocessed pictures, beside the methods."""

WARM_UP = 64
"""Side of the crop that each method runs on before it is timed, so that imports do not count."""

Outputs = dict[str, Tensor]
"""Results for a batch by method, ``NOISY`` first: ``(N, C, H, W)`` uint8, as in a saved file."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Args:
        methods: methods by name.
        names: names of the pictures.
        sigmas: noise levels in [0, 1] that the baselines were given.
        figures: figures of ``NOISY`` and of each method.
    """

    methods: dict[str, Method]
    names: list[str]
    sigmas: list[float]
    figures: dict[str, Figures]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types. None stands for infinity, which JSON does not have."""
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
    """Run all methods on each batch in turn, so that other load on the machine affects all of them.

    Args:
        methods: methods by name.
        batches: the pictures, at least one.
        see: called with each batch and the results of the methods.
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
