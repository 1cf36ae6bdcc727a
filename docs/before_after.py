"""Make ``photo.png`` and ``before_after.png``, the README's pictures: ``python docs/before_after.py``.

Photos that scikit-image ships are made noisy and denoised by the shipped models: with white noise and
a camera's, rounded to 8 bits as files are, by ``photo``; and point-sampled, as a renderer would at one
sample per pixel, by the others. They are NASA's portrait of Eileen Collins, in the public domain,
Rachel Michetti's cup of coffee and Stefan van der Walt's cat Chelsea, both CC0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from torch import Generator, Tensor

from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import psnr
from n2n_core.models import weights
from n2n_core.noise.corruptions import Camera, Gaussian, PointSampling

Crop = tuple[slice, slice]
CAPTION, GAP = 28, 6
FOLDER = Path(__file__).parent


def main() -> None:
    """Write the pictures."""
    portrait, generator = floats(data.astronaut()), Generator().manual_seed(0)
    scenes = [
        (data.astronaut(), Gaussian(25 / 255), (slice(20, 220), slice(110, 350))),
        (data.coffee(), Gaussian(50 / 255), (slice(60, 260), slice(100, 340))),
        (data.chelsea(), Camera(lam=150, sigma=0.03, blur=0.6), (slice(30, 230), slice(60, 300))),
    ]
    rows = []
    for photo, corruption, part in scenes:
        noisy = to_bytes(corruption(floats(photo), generator))
        rows.append(row(noisy, to_bytes(floats(photo)), ("photo",), part, zoom=1))
    write("photo.png", rows)
    generator.manual_seed(0)
    sampling = PointSampling(4)
    noisy, clean = to_bytes(sampling(portrait, generator)), to_bytes(sampling.clean(portrait))
    face = slice(0, 96), slice(8, 104)
    write("before_after.png", [row(noisy, clean, ("scratch", "torch", "unet"), face, zoom=3)])


def floats(photo: np.ndarray) -> Tensor:
    """Convert ``(H, W, 3)`` bytes to ``(3, H, W)`` floats in [0, 1]."""
    return torch.from_numpy(photo.copy()).permute(2, 0, 1) / 255


def row(
    noisy: Tensor, clean: Tensor, models: Sequence[str], crop: Crop, zoom: int
) -> list[tuple[str, Image.Image]]:
    """Return the noisy picture, each model's result and the clean one, captioned with the full PSNR."""
    panels = {"noisy": noisy}
    for name in models:
        denoiser = Denoiser.load(weights.find(name).path, "cpu")
        panels[name] = to_bytes(denoiser(noisy[None] / 255)[0])
    captions = {f"{name}, {decibels(image, clean):.1f} dB": image for name, image in panels.items()}
    return [(caption, cut(image, crop, zoom)) for caption, image in {**captions, "clean": clean}.items()]


def decibels(image: Tensor, clean: Tensor) -> float:
    """Return the PSNR of the whole picture."""
    return psnr(image, clean)


def cut(image: Tensor, crop: Crop, zoom: int) -> Image.Image:
    """Cut out the part that is shown, and enlarge every pixel."""
    part = Image.fromarray(image[:, crop[0], crop[1]].permute(1, 2, 0).numpy())
    return part.resize((part.width * zoom, part.height * zoom), Image.Resampling.NEAREST)


def write(name: str, rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> None:
    """Draw the panels of each row side by side, each above its caption."""
    width, height = rows[0][0][1].size
    size = len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + CAPTION)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for line, panels in enumerate(rows):
        for index, (caption, panel) in enumerate(panels):
            left, top = index * (width + GAP), line * (height + CAPTION)
            sheet.paste(panel, (left, top))
            draw.text((left + width / 2, top + height + 4), caption, fill="black", font=font, anchor="ma")
    sheet.save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
