"""The command line, run in this process; ``test_project`` runs the installed command."""

import json
import os
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photos

from n2n_core import cli
from n2n_core.cli.denoise import plan_outputs
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.pairs import load_pairs
from n2n_core.errors import ConfigError
from n2n_core.models import weights
from n2n_core.training import loop
from n2n_core.training.run_folder import plots
from tests.pictures import drawn, file, opened


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(file(drawn("RGB")))
    (folder / "deep" / "b.JPG").write_bytes(file(drawn("L"), "jpeg"))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def n2n(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that must fail with code 2."""
    code: object = None
    try:
        code = n2n(*arguments)
    except SystemExit as exit:  # argparse's way
        code = exit.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("n2n")
    return lines[0]


def test_threads_sleep_while_they_wait_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert n2n("models") == 0
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert n2n("models") == 0
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize("model", sorted(weights.read_index()))
def test_a_file_becomes_a_file(model: str, pictures: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.webp"
    assert n2n("denoise", pictures / "a.png", "-o", target, "--model", model) == 0
    result = opened(target.read_bytes())
    assert (result.format, result.size) == ("WEBP", (40, 28))
    assert not np.array_equal(np.asarray(result), np.asarray(drawn("RGB")))


@pytest.mark.parametrize("model", ["scratch", "torch"])
def test_both_engines_give_the_same_file(model: str, pictures: Path, tmp_path: Path) -> None:
    for engine in ("torch", "scratch"):
        target = tmp_path / f"{engine}.png"
        assert n2n("denoise", pictures / "a.png", "-o", target, "--model", model, "--engine", engine) == 0
    first, second = (np.asarray(opened((tmp_path / f"{e}.png").read_bytes())) for e in ("torch", "scratch"))
    assert np.abs(first.astype(int) - second).max() <= 1  # a value half-way may be rounded either way


def test_a_png_can_be_asked_for_that_is_small(pictures: Path, tmp_path: Path) -> None:
    for name, options in {
        "default": [],
        "fast": ["--compression", "fast"],
        "small": ["--compression", "small"],
    }.items():
        assert n2n("denoise", pictures / "a.png", "-o", tmp_path / f"{name}.png", *options) == 0
    default, fast, small = ((tmp_path / f"{name}.png").read_bytes() for name in ("default", "fast", "small"))
    assert default == fast
    assert len(small) < len(fast)
    assert np.array_equal(np.asarray(opened(small)), np.asarray(opened(fast)))


def test_a_folder_becomes_a_folder_of_the_same_structure(pictures: Path, tmp_path: Path) -> None:
    assert n2n("denoise", pictures, "-o", tmp_path / "out") == 0
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"a.png", "deep/b.JPG"}
    assert opened((tmp_path / "out" / "deep" / "b.JPG").read_bytes()).mode == "L"


def test_a_damaged_file_does_not_stop_the_others(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = pictures / "A-first.png"
    broken.write_bytes((pictures / "a.png").read_bytes()[:90])
    line = refusal(capsys, "denoise", pictures, "-o", tmp_path / "out")
    assert str(broken) in line
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {"a.png", "b.JPG"}


def test_the_format_can_be_chosen_for_all(pictures: Path, tmp_path: Path) -> None:
    jobs = plan_outputs([pictures], tmp_path / "out", "tiff")
    assert [str(target.relative_to(tmp_path / "out")) for _, target in jobs] == ["a.tiff", "deep/b.tiff"]


def test_inputs_that_would_share_an_output_are_refused(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a.bmp").write_bytes(file(drawn("RGB"), "bmp"))
    with pytest.raises(ConfigError, match=r"a\.bmp and .*a\.png would both become .*a\.png"):
        plan_outputs([pictures], tmp_path / "out", "png")


def test_bad_denoise_commands_are_one_line(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, out = pictures / "a.png", tmp_path / "out"
    assert "'best'; known models: photo, scratch, torch, unet" in refusal(
        capsys, "denoise", a, "-o", out, "--model", "best"
    )
    assert "no such file or folder" in refusal(capsys, "denoise", tmp_path / "none.png", "-o", out)
    assert "suffix is '.gif'" in refusal(capsys, "denoise", a, "-o", tmp_path / "x.gif")
    assert "expected one for --format webp" in refusal(
        capsys, "denoise", a, "-o", tmp_path / "x.png", "--format", "webp"
    )
    assert "suffix is '.txt'" in refusal(capsys, "denoise", pictures / "notes.txt", a, "-o", out)
    assert "device is 'abacus'" in refusal(capsys, "denoise", a, "-o", out, "--device", "abacus")
    assert "no such weights file" in refusal(
        capsys, "denoise", a, "-o", out, "--model", tmp_path / "x.safetensors"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "contains no image" in refusal(capsys, "denoise", empty, "-o", out)
    assert "required: -o" in refusal(capsys, "denoise", a)
    assert "invalid choice: 'paint'" in refusal(capsys, "paint")
    assert not out.exists()


def test_photos_become_data_data_a_model_and_the_model_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shots, made, run, models = (tmp_path / name for name in ("photos", "data", "run", "models"))
    shots.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(photos, name)()).save(shots / f"{name}.png")
    assert n2n("data", shots, "-o", made, "--pairs", 30, "--validation", 6) == 0
    assert load_pairs(made / "train_data.pkl").input.shape == (30, 3, 32, 32)
    assert json.loads((made / "data.json").read_text())["photos_held_out"] == 1
    assert n2n("train", made, "-o", run, "--model", "scratch", "--epochs", 2) == 0
    assert "epoch 2: PSNR" in capsys.readouterr().out
    assert n2n("publish", run / loop.MODEL, "mine", "--task", "a try", "--weights", models) == 0
    capsys.readouterr()
    assert n2n("models", "--weights", models) == 0
    line = capsys.readouterr().out
    assert line.startswith("mine")
    assert "134,203 parameters" in line
    assert line.endswith("a try\n")
    assert weights.read(weights.find("mine", models).path)[1].data["corruption"] == "point-sampling"


def test_the_same_seed_makes_the_same_data(tmp_path: Path) -> None:
    shots = tmp_path / "photos"
    shots.mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(photos, name)()).save(shots / f"{name}.png")
    made = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        n2n("data", shots, "-o", tmp_path / name, "--pairs", 8, "--validation", 4, "--seed", seed)
        made.append(weights.fingerprint(*load_pairs(tmp_path / name / "train_data.pkl")))
    assert made[0] == made[1] != made[2]


def test_bad_training_commands_are_one_line(course_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = course_data / "run"
    assert "epochs is 0" in refusal(capsys, "train", course_data, "-o", run, "--epochs", 0)
    assert "no such file" in refusal(capsys, "train", course_data / "nowhere", "-o", run)
    assert "threads is 0" in refusal(capsys, "train", course_data, "-o", run, "--threads", 0)
    assert "holds no checkpoint.pt" in refusal(capsys, "train", course_data, "-o", run, "--resume")
    assert "'int8'" in refusal(capsys, "train", course_data, "-o", run, "--precision", "int8")
    assert "name is '../x'" in refusal(capsys, "publish", weights.find("scratch").path, "../x")
    assert "reserved: 'auto'" in refusal(capsys, "publish", weights.find("scratch").path, "auto")


def test_a_budget_a_noise_and_weights_to_start_from_reach_the_recipe(course_data: Path) -> None:
    first, second = course_data / "first", course_data / "second"
    options = ("--model", "scratch", "--epochs", 1)
    assert n2n("train", course_data, "-o", first, *options, "--max-seconds", 60, "--patience", 2) == 0
    assert (
        n2n("train", course_data, "-o", second, *options, "--initial", first / loop.BEST, "--crop", 16) == 0
    )
    recipes = [weights.read(run / loop.MODEL)[1].recipe for run in (first, second)]
    assert (recipes[0]["max_seconds"], recipes[0]["patience"], recipes[0]["initial"]) == (60, 2, None)
    assert (recipes[1]["crop"], recipes[1]["initial"]) == (16, weights.sha256(first / loop.BEST))
    assert {path.name for path in (first / plots.FOLDER).iterdir()} >= {"loss.png", "psnr.svg"}


def test_another_dataset_validates(
    course_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [tmp_path / name for name in ("shots", "held-out")]
    for folder, source in zip(sets, ("train_data.pkl", "val_data.pkl"), strict=True):
        assert n2n("dataset", "import", course_data / source, "-o", folder, "--kind", "pairs") == 0
    options = ("--model", "scratch", "--epochs", 1, "--validation-data", sets[1])
    assert n2n("train", sets[0], "-o", tmp_path / "run", *options) == 0
    recipe, scenes = weights.read(tmp_path / "run" / loop.MODEL)[1].recipe, len(Dataset.open(sets[0]))
    assert recipe["steps"] == ceil(scenes / recipe["batch_size"])  # all of them are trained on
    capsys.readouterr()
    assert "has validation data" in refusal(capsys, "train", course_data, "-o", tmp_path / "other", *options)


def test_noise_is_described_in_a_word(course_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("train", course_data, "-o", course_data / "run", "--corruption")
    assert "{'name': 'gaussian', 'sigma': 0.1}, expected none" in refusal(
        capsys, *command, "gaussian,sigma=0.1"
    )
    assert "{'name': 'point-sampling', 'block': 4}" in refusal(capsys, *command, "point-sampling,block=4")
    assert "unknown noise 'snow'" in refusal(capsys, *command, "snow")
    assert "--corruption" in refusal(capsys, *command, "gaussian,sigma=much")


def test_a_scratch_model_in_bfloat16_is_refused(
    course_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", "scratch", "--precision", "bfloat16")
    assert "expected 'float32'" in refusal(capsys, "train", course_data, "-o", course_data / "run", *options)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        n2n("--version")
    assert capsys.readouterr().out.startswith("n2n 0.")


def test_originals_are_never_overwritten(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (pictures / "a.png").read_bytes()
    for inputs, output in ((pictures, pictures), (pictures / "a.png", pictures / "a.png")):
        assert "originals are not overwritten" in refusal(capsys, "denoise", inputs, "-o", output)
    link = pictures.parent / "link"
    link.symlink_to(pictures)
    assert "originals are not overwritten" in refusal(capsys, "denoise", pictures, "-o", link)
    assert (pictures / "a.png").read_bytes() == before


def test_results_inside_the_input_folder_are_not_denoised_again(pictures: Path) -> None:
    for _ in range(2):
        assert n2n("denoise", pictures, "-o", pictures / "clean") == 0
    written = {str(path.relative_to(pictures / "clean")) for path in (pictures / "clean").rglob("*.*")}
    assert written == {"a.png", "deep/b.JPG"}


def test_no_data_file_is_written_unless_both_can_be(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert "pairs is 0" in refusal(capsys, "data", pictures, "-o", out, "--pairs", 0)
    assert "validation is -1" in refusal(capsys, "data", pictures, "-o", out, "--validation", -1)
    assert "seed is 9999999999" in refusal(capsys, "data", pictures, "-o", out, "--seed", 9999999999)
    (pictures / "deep" / "c.png").write_bytes(b"no photo")
    assert "c.png: cannot be read" in refusal(capsys, "data", pictures, "-o", out, "--pairs", 4)
    assert not out.exists()


def test_numbers_beyond_all_bounds_are_refused(course_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, huge = course_data / "run", "9" * 20
    assert f"threads is {huge}" in refusal(capsys, "train", course_data, "-o", run, "--threads", huge)
    assert f"seed is {huge}" in refusal(capsys, "train", course_data, "-o", run, "--seed", huge)


def test_publishing_over_a_model_must_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = weights.find("scratch").path, tmp_path / "models"
    assert n2n("publish", source, "mine", "--task", "first", "--weights", folder) == 0
    assert "already has a model 'mine'" in refusal(capsys, "publish", source, "mine", "--weights", folder)
    assert n2n("publish", source, "mine", "--replace", "--weights", folder) == 0
    assert weights.find("mine", folder).task == "first"


def test_the_commands_read_the_folder_that_the_service_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    n2n("publish", weights.find("scratch").path, "mine", "--weights", tmp_path)
    monkeypatch.setenv("N2N_WEIGHTS", str(tmp_path))
    capsys.readouterr()
    assert n2n("models") == 0
    assert capsys.readouterr().out.startswith("mine ")


def test_photos_are_not_enlarged_beyond_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bounds = {"--min-block": "size * min_block is 32000", "--short-side": "short_side is 5000"}
    for option, message in bounds.items():
        value = message.split()[-1] if option == "--short-side" else 1000
        assert message in refusal(capsys, "data", tmp_path, "-o", tmp_path, option, value)
