"""The whole way by command: train a model on photos, and denoise other photos with it."""

from pathlib import Path

import pytest
from PIL import Image
from skimage import data as photos

from n2n_core import cli
from n2n_core.datasets.pairs import load_pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.models import weights
from n2n_core.training import loop

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "camera", "brick", "grass", "gravel")
SETTINGS = {"scratch": ("--epochs", "8"), "torch": ("--epochs", "2")}


def n2n(*arguments: object) -> None:
    assert cli.main([str(argument) for argument in arguments]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("model", SETTINGS)
def test_noisy_pairs_of_photos_teach_to_denoise_a_photo_held_out(model: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in PHOTOS:
        Image.fromarray(getattr(photos, name)()).convert("RGB").save(tmp_path / "photos" / f"{name}.png")
    n2n("data", tmp_path / "photos", "-o", tmp_path, "--pairs", 6000, "--validation", 400)
    n2n("train", tmp_path, "-o", tmp_path / "run", "--model", model, *SETTINGS[model])
    n2n("publish", tmp_path / "run" / loop.MODEL, "new", "--weights", tmp_path / "models")
    held_out = load_pairs(tmp_path / "val_data.pkl")
    denoiser = Denoiser.load(weights.find("new", tmp_path / "models").path)
    denoised = to_bytes(denoiser(held_out.input / 255)).cpu()
    before, after = mean_psnr(held_out.input, held_out.target), mean_psnr(denoised, held_out.target)
    assert after.per_image > before.per_image + 0.8
    assert after.pooled > before.pooled + 0.8
