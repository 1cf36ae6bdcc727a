"""Denoise a picture in Python, without a service: python denoise_picture.py noisy.png clean.png"""

import sys
from pathlib import Path

from n2n_core import image
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights


def main(source: Path, target: Path, model: str = "photo") -> None:
    """Denoise ``source`` with a model that n2n ships, and write ``target`` in the format of its suffix."""
    denoiser = Denoiser.load(weights.find(model).path)
    noisy = image.decode(source.read_bytes())
    enhanced = denoiser.enhance(noisy)  # the same pixels as from the command line and the service
    target.write_bytes(image.encode(enhanced.picture, image.SUFFIXES[target.suffix.lower()]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
