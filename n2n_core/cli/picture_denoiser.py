"""Denoise pictures with one model, and record how: what ``n2n denoise`` does with each picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from n2n_core.cli.command import model_path
from n2n_core.image import Bits, Picture, Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.enhance import Enhanced
from n2n_core.inference.model_choice import choose
from n2n_core.metrics.quality import quality, spread_figures
from n2n_core.models import weights
from n2n_core.models.names import AUTO


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to run, and the SHA-256 of its weights file."""

    name: str
    sha256: str
    denoiser: Denoiser

    @classmethod
    def load(cls, options: argparse.Namespace) -> LoadedModel:
        """Load the model that the options name.

        Raises:
            N2NError: there is no such model, or its file cannot be used.
        """
        name: str = options.model
        if name == AUTO:
            name = choose(weights.read_index(options.weights))
        path: Path = model_path(name, options.weights)
        denoiser = Denoiser.load(path, options.device, options.engine)
        return cls(name, weights.sha256(path), denoiser)


class PictureDenoiser:
    """Denoises the pictures of one command.

    Args:
        options: of the command.
        reference: the clean picture, ``(C, H, W)`` in [0, 1], if there is one.
    """

    def __init__(self, options: argparse.Namespace, reference: Pixels | None = None) -> None:
        self.options, self.reference = options, reference
        self.model = LoadedModel.load(options)

    def __call__(self, picture: Picture) -> tuple[Enhanced, dict[str, Any]]:
        """Denoise ``picture``; returns the result and its record for the report.

        Levels and spreads in the record are in grey levels of 0 to 255. Noise, PSNR and SSIM take time to
        measure, and are there only if a report was asked for.

        Raises:
            ShapeError: the reference has another shape.
        """
        options, denoiser = self.options, self.model.denoiser
        began = perf_counter()
        enhanced = denoiser.enhance(picture, options.strength, options.self_ensemble)
        seconds = perf_counter() - began
        record = {
            "model": self.model.name, "sha256": self.model.sha256, "device": str(denoiser.device),
            "window": denoiser.window, "halo": denoiser.geometry.halo,
            "strength": options.strength, "self_ensemble": options.self_ensemble,
            "stretch": enhanced.stretch, "seconds": round(seconds, 4), **_spread(enhanced.spread),
        }  # fmt: skip
        if options.report:
            for prefix, each in (("input_", picture), ("output_", enhanced.picture)):
                record |= self._quality(each.colour, each.bits, prefix)
        return enhanced, record

    def _quality(self, colour: Pixels, bits: Bits, prefix: str) -> dict[str, float | None]:
        """Measure the noise level, and PSNR and SSIM if there is a reference, at the picture's depth."""
        found = vars(quality(colour, self.reference, bits))
        names = ("noise", "psnr", "ssim") if self.reference is not None else ("noise",)
        return {prefix + name: found[name] for name in names}


def _spread(spread: Pixels | None) -> dict[str, float]:
    if spread is None:
        return {}
    mean, p95 = spread_figures(spread)
    return {"spread_mean": mean, "spread_p95": p95}
