"""Makes ``before_after.png``, the README's picture: ``python docs/before_after.py``.

A photo that scikit-image ships (NASA's portrait of Eileen Collins, in the public domain) is
point-sampled, as a renderer would at one sample per pixel, and denoised by the shipped models.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from torch import Generator, Tensor

from n2n_core import weights
from n2n_core.inference import Denoiser
from n2n_core.metrics import psnr, to_bytes
from n2n_core.noise import PointSampling

BLOCK, CROP, ZOOM = 4, (slice(0, 96), slice(8, 104)), 3
CAPTION, GAP = 28, 6


def main() -> None:
    """Write the picture."""
    photo = torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1) / 255
    corruption = PointSampling(BLOCK)
    noisy = to_bytes(corruption(photo, Generator().manual_seed(0)))
    clean = to_bytes(corruption.clean(photo))
    panels = {"noisy": noisy}
    for name in ("scratch", "torch"):
        denoised = Denoiser.load(weights.find(name).path, "cpu")(noisy[None] / 255)[0]
        panels[name] = to_bytes(denoised)
    panels = {f"{name}, {decibels(image, clean):.1f} dB": image for name, image in panels.items()}
    panels["clean"] = clean
    strip([(caption, crop(image)) for caption, image in panels.items()]).save(
        Path(__file__).with_name("before_after.png"), optimize=True
    )


def decibels(image: Tensor, clean: Tensor) -> float:
    """PSNR of the whole picture."""
    return psnr(image[None], clean[None]).per_image


def crop(image: Tensor) -> Image.Image:
    """The part that is shown, every pixel enlarged."""
    part = Image.fromarray(image[:, CROP[0], CROP[1]].permute(1, 2, 0).numpy())
    return part.resize((part.width * ZOOM, part.height * ZOOM), Image.Resampling.NEAREST)


def strip(panels: list[tuple[str, Image.Image]]) -> Image.Image:
    """The panels side by side, each over its caption."""
    width, height = panels[0][1].size
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for index, (caption, panel) in enumerate(panels):
        left = index * (width + GAP)
        sheet.paste(panel, (left, 0))
        draw.text((left + width / 2, height + 4), caption, fill="black", font=font, anchor="ma")
    return sheet


if __name__ == "__main__":
    main()
