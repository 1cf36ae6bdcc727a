"""Denoise night skies, whose noise is far below a grey level of 8 bits, with and without contrast stretch.

``python -m benchmarks.contrast_stretch`` prints the root mean square of the error and its mean, in counts of
65,535, for the sky and for the stars, with the model ``photo``.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from n2n_core.image import Pixels
from n2n_core.inference.contrast_stretch import Stretch
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights

LEVELS = (0.05, 0.2, 0.5, 0.9)
"""Noise levels in grey levels of 0 to 255."""

COUNTS = 2**16 - 1
STARS = 20
"""Pixels this many sigma above the sky belong to a star."""


def sky(height: int, width: int, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Draw a dark sky that brightens to the right, ``(3, height, width)``, without and with stars."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    cloud = 0.006 * np.exp(-((rows / height - 0.5) ** 2) * 20 - (columns / width - 0.5) ** 2 * 20)
    dark = np.array([0.020, 0.018, 0.022])[:, None, None] + 0.05 * columns / width + cloud
    stars = np.zeros((3, height, width))
    for _ in range(height * width // 800):
        row, column, strength = rng.uniform(0, (height, width, 3.2))
        colour = rng.uniform(0.8, 1.2, (3, 1, 1))
        distance = (rows - row) ** 2 + (columns - column) ** 2
        stars += 0.9 * 10**-strength * colour * np.exp(-distance / 2.9)
    return dark.astype(np.float32), (dark + stars).clip(0, 1).astype(np.float32)


def noisy(clean: Pixels, level: float, seed: int = 0) -> Pixels:
    """Add white noise of ``level`` grey levels, and round to 16 bits."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape) * level / 255
    return (((clean + noise) * COUNTS).round() / COUNTS).clip(0, 1).astype(np.float32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    denoiser = Denoiser.load(weights.find("photo").path, "cpu")
    dark, clean = sky(512, 768)
    print("| noise | sky: noisy | as it is | stretched | stars: noisy | as it is | stretched |")
    print("|---|---|---|---|---|---|---|")
    for level in LEVELS:
        picture = noisy(clean, level)
        stretch = Stretch.of(picture)
        assert stretch is not None
        results = [picture, denoised(denoiser, picture), stretch.undo(denoised(denoiser, stretch()))]
        is_sky = clean - dark < STARS * level / 255
        cells = [_cell((result - clean)[where]) for where in (is_sky, ~is_sky) for result in results]
        print(f"| {level / 255 * COUNTS:.0f} | {' | '.join(cells)} |")


def denoised(denoiser: Denoiser, picture: Pixels) -> Pixels:
    """Run the bare model on ``(3, H, W)``."""
    result: Pixels = denoiser(torch.from_numpy(picture[None]), exact=True)[0].numpy()
    return result


def _cell(error: Pixels) -> str:
    """Format root mean square and mean."""
    return f"{np.sqrt(np.mean(error**2)) * COUNTS:.1f} ({error.mean() * COUNTS:+.1f})"


if __name__ == "__main__":
    main()
