"""A folder of photos becomes pairs by the course's rule."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule, find_photos, sample_scenes, shuffled, split_photos
from n2n_core.errors import ConfigError, DataError
from tests.pictures import drawn, file

RULE = CourseRule(size=4, min_block=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photos in three folders, and files that are none."""
    for index in range(10):
        path = tmp_path / ("ab"[index % 2]) / f"{index}.{('png', 'JPG', 'webp', 'tif', 'bmp')[index % 5]}"
        path.parent.mkdir(exist_ok=True)
        drawn(width=40 + index, height=30, seed=index).save(path)
    (tmp_path / "a" / "notes.txt").write_text("no photo")
    (tmp_path / "c").mkdir()
    return tmp_path


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_photos_are_found_at_every_depth_once_and_sorted(folder: Path) -> None:
    photos = find_photos([folder])
    assert len(photos) == 10
    assert photos == sorted(photos)
    assert photos == find_photos([folder / "a", folder, folder / "b"])
    assert len(find_photos([folder / "a"])) == 5


def test_a_folder_named_like_a_photo_is_none(folder: Path) -> None:
    (folder / "album.jpg").mkdir()
    assert len(find_photos([folder])) == 10


def test_one_photo_under_two_names_counts_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "link.png").symlink_to(folder / "a" / "0.png")
    assert len(find_photos([folder, Path("a"), Path(), folder / "a" / ".." / "b"])) == 10


def test_folders_without_photos_are_named(folder: Path) -> None:
    with pytest.raises(DataError, match=f"{re.escape(str(folder / 'none'))}: not a folder, expected"):
        find_photos([folder, folder / "none"])
    with pytest.raises(DataError, match=f"{re.escape(str(folder / 'c'))}: 0 photos, expected at least 2"):
        find_photos([folder / "c"])


@pytest.mark.parametrize(("fraction", "held_out"), [(0.3, 3), (0.01, 1), (0.99, 9), (0.5, 5)])
def test_photos_are_split_without_overlap(folder: Path, fraction: float, held_out: int) -> None:
    photos = find_photos([folder])
    training, validation = split_photos(photos, fraction, seeded())
    assert len(validation) == held_out
    assert sorted(training + validation) == photos
    assert (training, validation) == split_photos(photos, fraction, seeded())
    assert (training, validation) != split_photos(photos, fraction, seeded(1))


def test_two_photos_are_enough_for_both_sides(folder: Path) -> None:
    for fraction in (0.01, 0.99):
        assert [len(side) for side in split_photos(find_photos([folder])[:2], fraction, seeded())] == [1, 1]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_bad_fraction_is_named(fraction: float) -> None:
    with pytest.raises(ConfigError, match=f"fraction is {fraction}, expected a number between 0 and 1"):
        split_photos([Path("a"), Path("b")], fraction, seeded())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0, expected at least 1"),
        ({"min_block": -1}, "min_block is -1, expected at least 1"),
        ({"short_side": 223}, "short_side is 223, expected at least size * min_block = 224"),
    ],
)
def test_bad_rules_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        CourseRule(**arguments)


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((40, 28), None, (28, 40)),
        ((40, 28), 14, (14, 20)),
        ((28, 40), 56, (80, 56)),
        ((5, 7), None, (17, 12)),
        ((12, 12), None, (12, 12)),
        ((3, 1), None, (12, 36)),
    ],
)
def test_photos_are_opened_large_enough(
    tmp_path: Path, size: tuple[int, int], short_side: int | None, expected: tuple[int, int]
) -> None:
    drawn(width=size[0], height=size[1]).save(tmp_path / "a.png")
    photo = CourseRule(4, 3, short_side).open(tmp_path / "a.png")
    assert photo.shape == (3, *expected)
    assert photo.dtype == torch.float32
    assert 0 <= photo.min() <= photo.max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_photos_of_any_mode_become_colour(tmp_path: Path, mode: str) -> None:
    drawn(mode).save(tmp_path / "a.tif")
    photo = RULE.open(tmp_path / "a.tif")
    expected = torch.frombuffer(bytearray(drawn(mode).convert("RGB").tobytes()), dtype=torch.uint8)
    assert (photo * 255).round().byte().permute(1, 2, 0).flatten().equal(expected)


BROKEN = {"empty": b"", "text": b"no photo", "a head": b"\xff\xd8\xff\xe0", "truncated": file(drawn())[:-200]}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_an_unreadable_photo_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bad.png: cannot be read as a photo"):
        next(sample_scenes([tmp_path / "bad.png"], 1, RULE, seeded(), shots=1))


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_photo_of_more_than_8_bits_is_named(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (40, 40)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a.tif: pixels have mode .*, expected 8 bits a channel"):
        RULE.open(tmp_path / "a.tif")


def test_a_photo_too_large_for_pillow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn().save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"huge.png: cannot be read as a photo"):
        RULE.open(tmp_path / "huge.png")


def test_crops_lie_in_the_photo_and_reach_its_ends() -> None:
    photo = torch.arange(30 * 40).view(1, 30, 40).expand(3, 30, 40).float()
    generator, blocks, values = seeded(), Counter[int](), set()
    for _ in range(600):
        crop, corruption = RULE.crop(photo, generator)
        side = RULE.size * corruption.block
        assert crop.shape == (3, side, side)
        blocks[corruption.block] += 1
        values |= {crop.min().item(), crop.max().item()}
    assert sorted(blocks) == [3, 4, 5, 6, 7]
    assert min(blocks.values()) > 80
    assert {photo.min().item(), photo.max().item()} <= values


@pytest.mark.parametrize(("count", "shares"), [(1, [1]), (5, [2, 2, 1]), (3, [1, 1, 1]), (2, [1, 1])])
def test_pairs_are_spread_evenly_over_the_photos(tmp_path: Path, count: int, shares: list[int]) -> None:
    paths = []
    for index in range(3):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (20, 20), (index, 0, 0)).save(paths[-1])
    pairs = list(sample_scenes(paths, count, RULE, seeded(), shots=1))
    assert all(t.shape == (3, 4, 4) and t.dtype == torch.uint8 for pair in pairs for t in pair)
    assert list(Counter(int(noisy[0].max()) for noisy, _ in pairs).values()) == shares


def test_noisy_pictures_average_to_the_clean_ones_and_copies_are_independent(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (300, 300, 3), dtype=torch.uint8, generator=seeded())
    Image.fromarray(pixels.numpy()).save(tmp_path / "a.png")
    rule = CourseRule(size=16, min_block=7)

    scenes = sample_scenes([tmp_path / "a.png"], 60, rule, seeded(), shots=2)
    *copies, clean = (torch.stack(side).double() for side in zip(*scenes, strict=True))
    for noisy in copies:
        error = noisy - clean
        assert error.std() > 60
        assert error.mean().abs() < 5 * error.std() / error.numel() ** 0.5 + 0.1
    first, second = (copy - copy.mean() for copy in copies)
    correlation = (first * second).mean() / (first.std() * second.std())
    assert correlation.abs() < 0.05  # 1 / block^2, the chance that both take the same pixel, is less


def test_the_generator_decides_the_pairs(folder: Path) -> None:
    def pictures(seed: int) -> list[Tensor]:
        pairs = sample_scenes(find_photos([folder]), 12, RULE, seeded(seed), shots=2)
        return [tensor for pair in pairs for tensor in pair]

    first, again, other = pictures(0), pictures(0), pictures(1)
    assert all(a.equal(b) for a, b in zip(first, again, strict=True))
    assert not all(a.equal(b) for a, b in zip(first, other, strict=True))
    assert not first[0].equal(first[1])


def test_no_pairs_are_refused() -> None:
    with pytest.raises(ConfigError, match="the number of pairs is 0, expected at least 1"):
        next(sample_scenes([Path("a.png")], 0, RULE, seeded(), shots=1))


def test_shuffling_keeps_pairs_together() -> None:
    numbered = [(torch.full((1, 1, 1), i), torch.full((1, 1, 1), i + 100)) for i in range(50)]
    first, second = shuffled(numbered, seeded())
    order = first.flatten().tolist()
    assert order != sorted(order)
    assert sorted(order) == list(range(50))
    assert second.equal(first + 100)
    assert shuffled(numbered, seeded())[0].equal(first)
