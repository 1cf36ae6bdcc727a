"""Sheets of samples have a fixed layout."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from n2n_core.image.rounding import to_bytes
from n2n_core.training.run_folder.sample_sheet import CELL, COLUMNS, GAP, ROWS, Grid, fitted, sheet, surplus
from tests.pictures import opened


def test_columns_stand_side_by_side_and_rows_below_each_other() -> None:
    columns = [torch.full((2, 3, 32, 32), value) for value in (0.0, 0.2, 0.4)]
    columns[2][1] = 0.8
    page = np.asarray(opened(sheet(columns)))
    pitch = CELL + GAP
    assert page.shape == (GAP + 2 * pitch, GAP + 3 * pitch, 3)
    centres = [GAP + CELL // 2 + i * pitch for i in range(3)]
    assert page[np.ix_(centres[:2], centres, [0])][..., 0].tolist() == [[0, 51, 102], [0, 51, 204]]
    assert (page[:GAP] == 255).all()
    assert (page[:, pitch : pitch + GAP] == 255).all()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (1, 200), (300, 40), (129, 4), (20, 50)])
@pytest.mark.parametrize("count", [2, 50])
def test_the_grid_tells_where_the_pictures_are(height: int, width: int, count: int) -> None:
    columns = list(torch.rand(3, count, 3, height, width, generator=torch.Generator().manual_seed(0)))
    columns[1][:] = 1  # white, as the paper
    page = np.asarray(opened(sheet(columns))).transpose(2, 0, 1)
    grid = Grid.of(columns[0])
    assert (grid.columns, grid.rows) == (COLUMNS, min(count, ROWS))
    left = page.copy()
    for column, pictures in enumerate(columns):
        for row in range(grid.rows):
            x, y = grid.x + column * grid.pitch, grid.y + row * grid.pitch
            place = np.s_[:, y : y + grid.height, x : x + grid.width]
            assert np.array_equal(page[place], fitted(to_bytes(pictures[row])).numpy())
            left[place] = 255
    assert left.min() == 255, "there is nothing else on the sheet"


def test_a_sheet_has_at_most_so_many_rows() -> None:
    page = opened(sheet([torch.zeros(50, 3, 8, 8)] * 3))
    assert page.height == GAP + ROWS * (CELL + GAP)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 32), (128, 128)), ((20, 50), (40, 100)), ((300, 128), (128, 128)), ((129, 4), (128, 4))],
)
def test_small_pictures_are_enlarged_and_large_ones_cut(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitted(torch.zeros(3, *size)).shape == (3, *expected)


def test_a_large_picture_shows_its_middle() -> None:
    picture = torch.zeros(3, 200, 200)
    picture[:, 36:164, 36:164] = 1
    assert fitted(picture).min() == 1


def test_of_a_million_epochs_a_few_sheets_remain_along_the_whole_run() -> None:
    kept = list[int]()
    for epoch in range(1, 10**4 + 1):
        kept.append(epoch)
        gone = set(surplus(kept, most=16))
        kept = [each for each in kept if each not in gone]
        assert len(kept) <= 16
        assert (kept[0], kept[-1]) == (1, epoch)
        gaps = [later - each for each, later in pairwise([0, *kept])]
        assert max(gaps) <= max(1, epoch / 4)
