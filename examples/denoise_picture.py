"""Denoise a picture in Python, without a service: python denoise_picture.py noisy.png clean.png"""

import sys
from pathlib import Path

import torch

from n2n_core import image
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights


def main(source: Path, target: Path, model: str = "photo") -> None:
    """Denoise ``source`` with a model that n2n ships, and write ``target`` in the format of its suffix."""
    denoiser = Denoiser.load(weights.find(model).path)
    picture = image.decode(source.read_bytes())
    noisy = torch.from_numpy(picture.colour)  # (C, H, W) floats in [0, 1]; C is 3, or 1 for grey
    clean = denoiser(noisy[None])[0].cpu()
    result = picture.with_colour(clean.numpy())  # keeps transparency, depth and metadata
    target.write_bytes(image.encode(result, image.SUFFIXES[target.suffix.lower()]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
