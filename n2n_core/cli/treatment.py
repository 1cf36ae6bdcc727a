"""What ``n2n denoise`` does to one picture, and the record of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from n2n_core.cli.command import model_path
from n2n_core.image import Bits, Picture, Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.model_choice import AUTO, choose
from n2n_core.metrics.quality import quality, spread_figures
from n2n_core.models import weights
from n2n_core.noise.estimation import noise_level


@dataclass(frozen=True)
class Model:
    """One that is ready to run, with its file's hash."""

    name: str
    sha256: str
    denoiser: Denoiser


@dataclass(frozen=True)
class Treated:
    """The result for one picture.

    Args:
        spread: ``(1, H, W)``, of the self-ensemble; None without one.
        record: where the result comes from, ready for JSON; levels and spreads in grey levels. What takes
            time to measure is there only if there is to be a report.
    """

    picture: Picture
    spread: Pixels | None
    record: dict[str, Any]


class Treatment:
    """The same for every picture of a command: the options, and the models, each loaded once.

    Args:
        reference: the clean picture, ``(C, H, W)`` in [0, 1].
    """

    def __init__(self, options: argparse.Namespace, reference: Pixels | None = None) -> None:
        self.options, self.reference = options, reference
        self.load = cache(self._load)
        if options.model != AUTO:
            self.load(options.model)  # what is wrong with it ends the command before a picture is read

    def _name(self, colour: Pixels) -> str:
        """The model's for a picture ``(C, H, W)``."""
        name: str = self.options.model
        return (
            name
            if name != AUTO
            else choose(noise_level(colour), list(weights.read_index(self.options.weights)))
        )

    def _load(self, name: str) -> Model:
        path: Path = model_path(name, self.options.weights)
        denoiser = Denoiser.load(path, self.options.device, self.options.engine)
        return Model(name, weights.sha256(path), denoiser)

    def __call__(self, picture: Picture) -> Treated:
        """Denoise ``picture``.

        Raises:
            ShapeError: the reference has another shape.
        """
        model = self.load(self._name(picture.colour))
        began = perf_counter()
        enhanced = model.denoiser.enhance(picture, self.options.strength, self.options.self_ensemble)
        seconds = perf_counter() - began
        record = {
            "model": model.name, "sha256": model.sha256, "device": str(model.denoiser.device),
            "window": model.denoiser.window, "halo": model.denoiser.geometry.halo,
            "strength": self.options.strength, "self_ensemble": self.options.self_ensemble,
            "stretch": enhanced.stretch, "seconds": round(seconds, 4), **_summary(enhanced.spread),
        }  # fmt: skip
        if self.options.report:
            for prefix, each in (("input_", picture), ("output_", enhanced.picture)):
                record |= self._measured(each.colour, each.bits, prefix)
        return Treated(enhanced.picture, enhanced.spread, record)

    def _measured(self, colour: Pixels, bits: Bits, prefix: str) -> dict[str, float | None]:
        """The noise level, and PSNR and SSIM if there is a reference; of the picture's depth."""
        found = vars(quality(colour, self.reference, bits))
        names = ("noise", "psnr", "ssim") if self.reference is not None else ("noise",)
        return {prefix + name: found[name] for name in names}


def _summary(spread: Pixels | None) -> dict[str, float]:
    if spread is None:
        return {}
    mean, p95 = spread_figures(spread)
    return {"spread_mean": mean, "spread_p95": p95}
