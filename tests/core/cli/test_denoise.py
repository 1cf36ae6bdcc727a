"""Options of ``n2n denoise`` beyond the result: strength, reports, references, uncertainty."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contrast_stretch import noisy as faint
from benchmarks.contrast_stretch import sky
from n2n_core import image
from n2n_core.image.picture import samples
from n2n_core.inference.contrast_stretch import Stretch
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.self_ensemble import WHITE, self_ensemble, spread_picture
from n2n_core.metrics.psnr import psnr
from n2n_core.metrics.ssim import ssim
from n2n_core.models import weights
from n2n_core.noise.estimation import noise_level
from tests.core.cli.test_cli import n2n, refusal
from tests.core.image.corpus import pixels, vips
from tests.pictures import file, photo

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    pixels = (photo("chelsea")[:, 100:164, 200:280] * 255).round().byte().permute(1, 2, 0).numpy()
    path = tmp_path / "clean.png"
    path.write_bytes(file(Image.fromarray(pixels)))
    return path


@pytest.fixture
def noisy(clean: Path, tmp_path: Path) -> Path:
    grain = np.random.default_rng(0).normal(0, 20, (64, 80, 3))
    path = tmp_path / "noisy.png"
    path.write_bytes(file(Image.fromarray((read(clean) + grain).round().clip(0, 255).astype(np.uint8))))
    return path


@pytest.fixture
def run(noisy: Path, tmp_path: Path) -> Run:
    """The command on ``noisy`` with more options; the report's one line."""

    def run(*options: object) -> dict[str, Any]:
        report = tmp_path / "report.jsonl"
        assert n2n("denoise", noisy, "-o", tmp_path / "out.png", "--report", report, *options) == 0
        (line,) = report.read_text().splitlines()
        record: dict[str, Any] = json.loads(line)
        return record

    return run


def read(path: Path) -> NDArray[Any]:
    return np.asarray(Image.open(path))


def test_strength_goes_from_the_picture_to_the_models(run: Run, noisy: Path, tmp_path: Path) -> None:
    results = {}
    for strength in (0, 0.5, 1):
        assert run("--strength", strength)["strength"] == strength
        results[strength] = read(tmp_path / "out.png").astype(float)
    assert np.array_equal(results[0], read(noisy))
    assert np.abs(results[0.5] - (results[0] + results[1]) / 2).max() <= 1  # rounded, both
    assert n2n("denoise", noisy, "-o", tmp_path / "plain.png") == 0
    assert np.array_equal(results[1], read(tmp_path / "plain.png"))


def test_the_report_says_where_a_picture_comes_from(run: Run, noisy: Path, tmp_path: Path) -> None:
    record = run("--device", "cpu")
    entry = weights.find("torch")
    assert record["input"] == str(noisy)
    assert record["output"] == str(tmp_path / "out.png")
    assert (record["model"], record["sha256"]) == ("torch", entry.sha256)
    denoiser = Denoiser.load(entry.path, "cpu")
    assert (record["window"], record["halo"]) == (denoiser.window, denoiser.geometry.halo)
    assert record["device"] == "cpu"
    assert record["seconds"] > 0
    for name, path in (("input_noise", noisy), ("output_noise", tmp_path / "out.png")):
        assert record[name] == pytest.approx(255 * noise_level(image.decode(path.read_bytes()).colour))
    assert record["input_noise"] == pytest.approx(20, rel=0.15)
    assert record["output_noise"] < record["input_noise"] / 2
    assert not {"input_psnr", "spread_mean"} & set(record)


def test_noise_finer_than_8_bits_is_stretched_for_a_blind_model(tmp_path: Path) -> None:
    _, clean = sky(96, 112)
    source, output, record = tmp_path / "sky.png", tmp_path / "out.png", tmp_path / "record"
    source.write_bytes(image.encode(image.Picture(faint(clean, 0.3), bits=16), "png"))
    read_back = image.decode(source.read_bytes()).colour
    stretch = Stretch.of(read_back)
    assert stretch is not None
    for model, gain in {"photo": pytest.approx(stretch.gain), "scratch": None}.items():
        assert n2n("denoise", source, "-o", output, "--model", model, "--report", record) == 0
        assert json.loads(record.read_text())["stretch"] == gain
    command = ("denoise", source, "-o", output, "--model", "photo", "--self-ensemble", "--report", record)
    assert n2n(*command, "--strength", "0.5") == 0
    half = image.decode(output.read_bytes()).colour
    assert n2n(*command) == 0
    whole = image.decode(output.read_bytes()).colour
    assert (whole - clean).std() < (read_back - clean).std() / 2
    assert np.abs(half - (read_back + whole) / 2).max() <= 1.5 / 65535
    assert 0 < json.loads(record.read_text())["spread_mean"] < 0.1


def test_a_reference_gives_psnr_and_ssim(run: Run, clean: Path, noisy: Path, tmp_path: Path) -> None:
    record = run("--reference", clean)
    reference = read(clean).transpose(2, 0, 1)
    for name, path in (("input", noisy), ("output", tmp_path / "out.png")):
        pixels = read(path).transpose(2, 0, 1)
        assert record[f"{name}_psnr"] == pytest.approx(psnr(pixels, reference))
        assert record[f"{name}_ssim"] == pytest.approx(ssim(pixels, reference))
    assert record["output_psnr"] > record["input_psnr"] + 2


def test_a_picture_that_is_its_own_reference_has_no_psnr(run: Run, noisy: Path) -> None:
    record = run("--reference", noisy, "--strength", 0)
    assert record["output_psnr"] is None
    assert record["output_ssim"] == pytest.approx(1)


def test_the_uncertainty_is_the_spread_of_the_eight(run: Run, noisy: Path, tmp_path: Path) -> None:
    run()
    plain = read(tmp_path / "out.png")
    record = run("--self-ensemble", "--uncertainty", tmp_path / "map.png")
    denoiser = Denoiser.load(weights.find("torch").path, "cpu")
    colour = torch.from_numpy(image.decode(noisy.read_bytes()).colour[None])
    spread = self_ensemble(denoiser, colour).spread[0].numpy()
    assert record["spread_mean"] == pytest.approx(255 * spread.mean(), rel=1e-3)
    assert record["spread_p95"] == pytest.approx(255 * np.percentile(spread, 95), rel=1e-3)
    map = Image.open(tmp_path / "map.png")
    assert (map.mode, map.size) == ("L", (80, 64))
    assert np.abs(np.asarray(map) - (spread[0] / WHITE * 255).clip(0, 255)).max() <= 0.51
    assert not np.array_equal(plain, read(tmp_path / "out.png"))


def test_the_scale_of_the_uncertainty_is_fixed() -> None:
    spread = np.array([[[0, WHITE / 2, WHITE, 9]]], np.float32)
    assert spread_picture(spread).colour.ravel() == pytest.approx([0, 0.5, 1, 1])


def test_every_picture_has_a_line_on_standard_output(
    noisy: Path, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert n2n("denoise", noisy, tmp_path / "bad.png", clean, "-o", tmp_path / "out", "--report", "-") == 2
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["input"] for record in records] == [str(noisy), str(clean)]


def test_auto_picks_of_the_folders_models(run: Run, noisy: Path, tmp_path: Path) -> None:
    assert run("--model", "auto")["model"] == "photo"
    models = tmp_path / "models"
    for name in ("scratch", "mine"):
        assert n2n("publish", weights.find("scratch").path, name, "--weights", models) == 0
    assert run("--model", "auto", "--weights", models)["model"] == "scratch"


def test_a_single_pixel_has_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(file(Image.new("L", (1, 1), 90)))
    options = ("--report", "-", "--reference", path, "--self-ensemble", "--model", "auto")
    assert n2n("denoise", path, "-o", tmp_path / "out.png", *options) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["input_noise"], record["input_ssim"]) == (0, None)


def test_a_stack_is_denoised_page_by_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [pixels("uint16", 3, seed) for seed in range(3)]
    pictures = [image.decode(bytes(vips(page).tiffsave_buffer())) for page in pages]
    source, out = tmp_path / "stack.tif", tmp_path / "out.tif"
    source.write_bytes(image.encode_pages(pictures))
    assert n2n("denoise", source, "-o", out, "--strength", 0, "--report", "-") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["page"] for record in records] == [0, 1, 2]
    for page, result in zip(pages, image.decode_pages(out.read_bytes()), strict=True):
        assert np.array_equal(samples(result, 16), page)
    line = refusal(capsys, "denoise", source, "-o", tmp_path / "out.png")
    assert "png cannot store the image's 3 pages, expected tiff" in line
    options = ("--self-ensemble", "--uncertainty", tmp_path / "map.png")
    line = refusal(capsys, "denoise", source, "-o", out, *options)
    assert "--uncertainty is for one picture, expected a single page, not 3" in line
    assert not (tmp_path / "map.png").exists()


def test_bad_options_are_one_line(
    noisy: Path, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, out = ("denoise", noisy, "-o", tmp_path / "out.png"), tmp_path / "out.png"
    map, both = tmp_path / "map.png", ("denoise", noisy, clean, "-o", tmp_path / "folder")
    assert "strength is 1.5, expected 0 to 1" in refusal(capsys, *command, "--strength", 1.5)
    assert "strength is nan" in refusal(capsys, *command, "--strength", "nan")
    assert "expected --self-ensemble" in refusal(capsys, *command, "--uncertainty", map)
    assert "suffix is '.jpg', expected '.png'" in refusal(
        capsys, *command, "--self-ensemble", "--uncertainty", "map.jpg"
    )
    assert "expected one input, not 2" in refusal(capsys, *both, "--self-ensemble", "--uncertainty", map)
    assert "expected one input, not 2" in refusal(capsys, *both, "--reference", clean, "--report", "-")
    assert "expected --report" in refusal(capsys, *command, "--reference", clean)
    for path in (noisy, out):
        assert "expected another file" in refusal(capsys, *command, "--report", path)
        assert "expected another file" in refusal(capsys, *command, "--self-ensemble", "--uncertainty", path)
    assert "cannot be written" in refusal(capsys, *command, "--report", tmp_path / "no" / "report")
    small = tmp_path / "small.png"
    small.write_bytes(file(Image.new("RGB", (8, 8))))
    assert "expected (3, 8, 8), that of its reference" in refusal(
        capsys, *command, "--report", "-", "--reference", small
    )
    assert not out.exists()
    assert not map.exists()


def test_auto_without_a_known_model_is_one_line(
    noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    n2n("publish", weights.find("scratch").path, "mine", "--weights", models)
    capsys.readouterr()
    options = ("--model", "auto", "--weights", models)
    line = refusal(capsys, "denoise", noisy, "-o", tmp_path / "out.png", *options)
    assert "unknown model 'auto'; known models: mine" in line
