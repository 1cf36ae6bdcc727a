"""Sheets of samples have a fixed layout."""

import numpy as np
import pytest
import torch

from n2n_core.training.run_folder.sample_sheet import CELL, GAP, ROWS, fitted, sheet
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
