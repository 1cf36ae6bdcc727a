"""``n2n train`` with a recipe file."""

from pathlib import Path

import pytest
from PIL import Image
from skimage import data as pictures

from n2n_core.models import weights
from n2n_core.training.run_folder.event_log import read
from tests.core.cli.test_cli import n2n, refusal

COURSE = """
[data]
kind = "course"
pairs = 40
validation = 6

[train]
model = "unet"
batch_size = 8
epochs = 2
seed = 4
"""
CLEAN = """
[data]
kind = "clean"

[train]
model = "unet"
corruption = { name = "blind", sigma = 0.2 }
targets = "noisy"
rounded = 0.5
jpeg = 0.5
grey = 0.2
loss = "rmse"
crop = 32
crops_per_epoch = 8
batch_size = 4
epochs = 1
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(pictures, name)()[::2, ::2]).save(folder / f"{name}.png")
    return folder


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_one_command_makes_data_of_photos_and_a_model_of_them(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert n2n("train", photos, "-o", out, "--recipe", recipe(tmp_path, COURSE)) == 0
    _, card = weights.read(out / "model.safetensors")
    assert card.data["pairs"] == 40
    assert card.recipe["steps"] == 10
    assert card.recipe["seed"] == 4
    made = (out / "data" / "train_data.pkl").stat().st_mtime_ns
    assert n2n("train", photos, "-o", out, "--recipe", tmp_path / "recipe.toml", "--resume") == 0
    assert (out / "data" / "train_data.pkl").stat().st_mtime_ns == made


def test_photos_get_noise_as_the_recipe_says(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert n2n("train", photos, "-o", out, "--recipe", recipe(tmp_path, CLEAN)) == 0
    _, card = weights.read(out / "model.safetensors")
    assert card.data["kind"] == "clean"
    assert card.recipe["corruption"] == {"name": "blind", "sigma": 0.2}
    assert {"psnr", "noisy_psnr"} <= card.metrics.keys()


@pytest.mark.slow
def test_fresh_pairs_are_made_as_they_are_asked_for(photos: Path, tmp_path: Path) -> None:
    text = COURSE.replace("pairs = 40", "fresh = true").replace(
        "epochs = 2", "epochs = 2\ncrops_per_epoch = 24"
    )
    out = tmp_path / "run"
    assert n2n("train", photos, "-o", out, "--recipe", recipe(tmp_path, text)) == 0
    assert sorted(path.name for path in (out / "data").iterdir()) == ["data.json", "val_data.pkl"]
    _, card = weights.read(out / "model.safetensors")
    assert (card.data["pairs"], card.data["photos"], card.recipe["steps"]) == (None, 2, 6)
    assert n2n("train", photos, "-o", out, "--recipe", tmp_path / "recipe.toml", "--resume") == 0
    (photos / "coffee.png").unlink()
    assert n2n("train", photos, "-o", out, "--recipe", tmp_path / "recipe.toml", "--resume") == 2


def test_options_go_before_the_recipe(course_data: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "run", recipe(tmp_path, "[train]\nepochs = 5\nbatch_size = 10\n")
    assert n2n("train", course_data, "-o", out, "--recipe", path, "--epochs", 1, "--model", "scratch") == 0
    start = read(out)[0]
    assert (start["epochs"], start["batch_size"], start["model"]) == (1, 10, "scratch")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train\n", "not TOML"),
        ("epochs = 3\n", "unknown table 'epochs', expected one of: train, data, before"),
        ("train = 3\n", "train is 3, expected a table"),
        ("[train]\nepoch = 3\n", "train: unknown field 'epoch', expected one of: model, "),
        ("[before]\nepochs = 3\n", "before is {'epochs': 3}, expected tables"),
        ("before = [3]\n", "before[0] is 3, expected a table"),
        ("[[before]]\nepoch = 3\n", "before[0]: unknown field 'epoch', expected one of: model, "),
        ("[[before]]\nepochs = 'two'\n", "before[0]: epochs is 'two', expected a whole number"),
        ("[train]\nepochs = 0\n", "train: epochs is 0, expected a whole number of at least 1"),
        ("[train]\nepochs = 'two'\n", "epochs is 'two', expected a whole number"),
        ("[train]\nlr = 'high'\n", "lr is 'high', expected a number"),
        ("[train]\naugment = 1\n", "augment is 1, expected true or false"),
        ("[data]\npairs = 3\n", "data: kind is None, expected one of: course, clean"),
        ("[data]\nkind = 'clean'\npairs = 3\n", "data: unknown field 'pairs', expected"),
        ("[data]\nkind = 'course'\npairs = 'many'\n", "data: pairs is 'many', expected a whole number"),
    ],
)
def test_bad_recipes_are_one_line(
    text: str, message: str, course_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, path = tmp_path / "run", recipe(tmp_path, text)
    assert message in refusal(capsys, "train", course_data, "-o", out, "--recipe", path)
    assert not out.exists()


def test_a_missing_recipe_and_too_many_folders_are_one_line(
    course_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    line = refusal(capsys, "train", course_data, "-o", out, "--recipe", tmp_path / "none.toml")
    assert "none.toml: cannot be read (No such file or directory), expected a recipe" in line
    line = refusal(capsys, "train", course_data, course_data, "-o", out)
    assert "2 folders of data, expected one, or a recipe that makes data from photos" in line


@pytest.mark.slow
def test_a_run_can_begin_with_another(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    path = recipe(tmp_path, CLEAN + "\n[[before]]\nepochs = 2\njpeg = 0.0\n\n[[before]]\nlr = 1e-4\n")
    assert n2n("train", photos, "-o", out, "--recipe", path) == 0
    _, card = weights.read(out / "model.safetensors")
    _, first = weights.read(out / "before-1" / "model.safetensors")
    _, second = weights.read(out / "before-2" / "model.safetensors")
    assert (first.recipe["jpeg"], first.recipe["steps"], first.recipe["initial"]) == (0.0, 4, None)
    assert (second.recipe["jpeg"], second.recipe["steps"], second.recipe["lr"]) == (0.5, 2, 1e-4)
    assert (card.recipe["jpeg"], card.recipe["steps"], card.recipe["lr"]) == (0.5, 2, 1e-3)
    assert second.recipe["initial"] == weights.sha256(out / "before-1" / "model.safetensors")
    assert card.recipe["initial"] == weights.sha256(out / "before-2" / "model.safetensors")
    made = (out / "model.safetensors").read_bytes()
    (out / "checkpoint.pt").unlink()  # as if stopped between the two
    assert n2n("train", photos, "-o", out, "--recipe", path, "--resume") == 0
    assert (out / "model.safetensors").stat().st_size == len(made)
