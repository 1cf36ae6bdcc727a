"""Noisy pictures and their clean versions, from files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from n2n_core.datasets.importing.naming import natural
from n2n_core.datasets.pairs import save_pairs
from n2n_core.errors import ConfigError, DataError
from n2n_core.evaluation import batches
from n2n_core.evaluation.batches import find_pairs, of_clean, of_file, of_pairs
from n2n_core.noise.corruptions import Gaussian, PointSampling, Poisson
from tests.pictures import course_pairs
from tests.scenes import smooth


def save(path: Path, picture: Tensor) -> Path:
    """``(C, H, W)`` floats as a file; returns its path."""
    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(path)
    return path


@pytest.fixture
def clean(tmp_path: Path) -> list[Path]:
    """Three pictures of different sizes, the last of them grey."""
    sizes = [(48, 64), (64, 40), (50, 50)]
    pictures = [smooth(1, *size, seed=index)[0] for index, size in enumerate(sizes)]
    pictures[2] = pictures[2][:1]
    return [save(tmp_path / f"{index}.png", picture) for index, picture in enumerate(pictures)]


def test_a_file_of_pairs_comes_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TOGETHER", 3)
    pairs = course_pairs(8)
    save_pairs(tmp_path / "val.pkl", pairs)
    found = list(of_file(tmp_path / "val.pkl", limit=7))
    assert [batch.names for batch in found] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert torch.equal(torch.cat([batch.clean for batch in found]), pairs.target[:7])
    assert torch.equal(torch.cat([batch.noisy for batch in found]), pairs.input[:7].float() / 255)
    assert all(0 < sigma < 1 for batch in found for sigma in batch.sigmas)


def test_clean_pictures_get_the_noise_and_its_level(clean: list[Path]) -> None:
    found = list(of_clean(clean, Gaussian(0.05)))
    assert [batch.noisy.shape for batch in found] == [(1, 3, 48, 64), (1, 3, 64, 40), (1, 1, 50, 50)]
    assert [batch.names + batch.sigmas for batch in found] == [[path.name, 0.05] for path in clean]
    for batch in found:
        assert (batch.noisy - batch.clean / 255).std().item() == pytest.approx(0.05, rel=0.1)


def test_noise_of_another_kind_has_its_level_estimated(clean: list[Path]) -> None:
    batch = next(of_clean(clean, Poisson(200)))
    actual = (batch.noisy - batch.clean / 255).square().mean().sqrt().item()
    assert batch.sigmas[0] == pytest.approx(actual, rel=0.2)


def test_rounded_pictures_are_those_of_files(clean: list[Path]) -> None:
    rounded, exact = (next(of_clean(clean, Gaussian(0.5), rounded=r)).noisy for r in (True, False))
    assert torch.equal(rounded, (exact * 255).round().clamp(0, 255) / 255)
    assert exact.min() < 0
    assert exact.max() > 1


def test_the_same_seed_gives_the_same_noise(clean: list[Path]) -> None:
    first, again, other = (
        torch.cat([batch.noisy.flatten() for batch in of_clean(clean, Gaussian(), seed)])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_point_sampling_takes_whole_blocks(clean: list[Path]) -> None:
    shapes = [batch.noisy.shape[2:] for batch in of_clean(clean, PointSampling(7))]
    assert shapes == [(6, 9), (9, 5), (7, 7)]


def test_pairs_are_found_by_the_ends_of_their_names(tmp_path: Path) -> None:
    for name in ("b_2_mean.png", "b_2_real.png", "deep/b_2_real.png", "deep/b_2_mean.bmp", "notes.png"):
        save(tmp_path / name, smooth(1, seed=len(name))[0])
    pairs = find_pairs(tmp_path, "_real", "_mean")
    names = [tuple(str(path.relative_to(tmp_path)) for path in pair) for pair in pairs]
    assert names == [("b_2_real.png", "b_2_mean.png"), ("deep/b_2_real.png", "deep/b_2_mean.bmp")]
    assert find_pairs(tmp_path, "_real", "_mean", limit=1) == pairs[:1]
    batch = next(of_pairs(pairs))
    assert batch.names == ["b_2_real.png"]
    for path, picture in zip(pairs[0], (batch.noisy[0] * 255, batch.clean[0]), strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), picture.round().byte().permute(1, 2, 0).numpy())


def test_an_empty_end_stands_for_all_other_names(tmp_path: Path) -> None:
    for name in ("x.png", "x_noisy.png"):
        save(tmp_path / name, smooth(1)[0])
    assert [path.name for path in find_pairs(tmp_path, "_noisy", "")[0]] == ["x_noisy.png", "x.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x_real.png"], r"x_real\.png: has no partner, expected x_mean\.png beside it"),
        (["x_real.png", "x_mean.png", "y_mean.jpg"], r"y_mean\.jpg: .* expected y_real\.jpg beside it"),
        (["x_a.png"], "contains no pairs, expected names that end in '_real' and '_mean'"),
        ([], r"contains no picture, expected one of: \.png"),
    ],
)
def test_pictures_without_a_partner_are_told(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        save(tmp_path / name, smooth(1)[0])
    with pytest.raises(DataError, match=message):
        find_pairs(tmp_path, "_real", "_mean")


def test_equal_ends_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both suffixes are '_a'"):
        find_pairs(tmp_path, "_a", "_a")


def test_a_pair_of_two_sizes_is_told(tmp_path: Path) -> None:
    pair = save(tmp_path / "a.png", smooth(1, 16, 16)[0]), save(tmp_path / "b.png", smooth(1, 16, 18)[0])
    with pytest.raises(DataError, match=r"\(3, 16, 16\) and \(3, 16, 18\), expected equal shapes"):
        next(of_pairs([pair]))


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"x\.png: not a readable image"):
        next(of_clean([path], Gaussian()))


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        save(tmp_path / f"{number}.png", smooth(1)[0])
    names = [path.name for path in batches.pictures(tmp_path)]
    assert names == sorted(names, key=natural) == ["1.png", "9.png", "10.png"]
    assert [path.name for path in batches.pictures(tmp_path, limit=2)] == ["1.png", "9.png"]
