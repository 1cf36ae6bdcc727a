"""Pictures of a dataset, and its figures."""

from pathlib import Path

import numpy as np
import pytest

from n2n_core.datasets.checks.crops import sample_crops
from n2n_core.datasets.checks.statistics import statistics
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.writer import DatasetWriter
from n2n_core.datasets.thumbnails import contact_sheet, crop_sheet, thumbnail
from n2n_core.errors import ConfigError
from tests.pictures import opened


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    writer = DatasetWriter(tmp_path, 10**8)
    values = np.random.default_rng(0).normal(128, 20, (5, 2, 1, 100, 200)).clip(1, 254)
    values[0, 0, :, :, 100:] = 255
    writer.add(values.astype(np.uint8))
    writer.add(np.full((2, 2, 3, 64, 64), 10, np.uint8))
    return writer.finish("pairs", "x", "x", None)


@pytest.mark.parametrize(
    ("side", "size"), [(50, (50, 25)), (200, (200, 100)), (1000, (200, 100)), (1, (1, 1))]
)
def test_a_thumbnail_keeps_the_shape(dataset: Dataset, side: int, size: tuple[int, int]) -> None:
    picture = opened(thumbnail(dataset, 0, 0, side))
    assert (picture.format, picture.size) == ("PNG", size)


def test_a_thumbnail_shows_the_shot(dataset: Dataset) -> None:
    pixels = np.asarray(opened(thumbnail(dataset, 0, 0, 50))).astype(float)
    assert np.abs(pixels[:, :24] - 128).max() < 30
    assert pixels[:, 26:].min() == 255
    assert np.asarray(opened(thumbnail(dataset, 0, 1, 50)))[:, 26:].max() < 200


@pytest.mark.parametrize("side", [0, 2000])
def test_a_thumbnail_has_a_sensible_size(dataset: Dataset, side: int) -> None:
    with pytest.raises(ConfigError, match=f"side is {side}, expected 1 to 1024"):
        thumbnail(dataset, 0, 0, side)


def test_a_contact_sheet_has_a_place_for_each(dataset: Dataset) -> None:
    sheet = opened(contact_sheet(dataset, range(5), columns=3, side=40))
    assert sheet.size == (3 * 44 - 4, 2 * 44 - 4)
    pixels = np.asarray(sheet)
    assert pixels[44 + 20, 2 * 44 + 20].min() == 255, "the sixth place is empty"
    assert np.asarray(opened(contact_sheet(dataset, [5], side=40)))[20, 20].tolist() == [10, 10, 10]
    with pytest.raises(ConfigError, match="0 scenes in 6 columns"):
        contact_sheet(dataset, [])


def test_the_cells_tell_where_the_crops_are(dataset: Dataset) -> None:
    crops = sample_crops(dataset, scenes=6, seed=1)
    assert crops.scenes != list(range(6))
    content, cells = crop_sheet(crops)
    shown = ("first", "second", "difference")
    assert [(cell.scene, cell.shown) for cell in cells] == [(s, each) for s in crops.scenes for each in shown]
    sheet = np.asarray(opened(content)).transpose(2, 0, 1)
    rest = sheet.copy()
    for index, cell in enumerate(cells):
        place = np.s_[:, cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
        rest[place] = 255
        if cell.shown == "first":
            picture = crops.pictures[index // 3]
            small = picture.shape[1:] == (64, 64)
            expected = picture.repeat(2, 1).repeat(2, 2) if small else picture[:, :, 36:164]
            assert np.array_equal(sheet[place], np.broadcast_to(np.rint(expected * 255), sheet[place].shape))
    assert rest.min() == 255, "there is nothing else on the sheet"


def test_statistics_are_those_of_the_values(dataset: Dataset) -> None:
    found = statistics(dataset)
    values = np.concatenate([dataset.read(s, i)[:1].numpy().ravel() for s in range(5) for i in range(2)])
    assert (found.scenes, found.pictures, found.sampled) == (7, 14, 7)
    assert found.sizes == ((100, 200, 5), (64, 64, 2))
    assert found.low == pytest.approx(10 / 255)
    assert found.high == 1
    assert found.clipped == pytest.approx(10_000 / (values.size + 4 * 3 * 64 * 64))
    assert found.mean == pytest.approx((10 * values.mean() + 4 * 10 / 255) / 14, rel=1e-3)
    assert found.to_dict()["sizes"] == found.sizes


def test_the_noise_is_that_of_one_shot(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, (4, 2, 3, 64, 64)).astype(np.float32)
    for kind, stack in {"pairs": values, "single": values[:, :1]}.items():
        (tmp_path / kind).mkdir()
        writer = DatasetWriter(tmp_path / kind, 10**8)
        writer.add(stack)
        assert statistics(writer.finish(kind, "x", "x", None)).sigma == pytest.approx(0.1, rel=0.03)
