"""The contact sheet, read back."""

from itertools import product

import numpy as np
import pytest
import torch

from n2n_core.evaluation.compare import compare
from n2n_core.evaluation.sheet import BEST, CELL, CROP, GAP, HEAD, INK, LABEL, ROWS, Sheet, detail
from n2n_core.image.rounding import to_bytes
from tests.core.evaluation.test_compare import GREY, SAME, batch
from tests.pictures import opened


def shown(*sizes: tuple[int, int], channels: int = 3) -> tuple[Sheet, np.ndarray]:
    sheet = Sheet()
    images = (batch(1, *size, seed=index) for index, size in enumerate(sizes))
    few = (one._replace(noisy=one.noisy[:, :channels], clean=one.clean[:, :channels]) for one in images)
    compare({"same": SAME, "grey": GREY}, few, sheet.see)
    return sheet, np.asarray(opened(sheet.png()))


def cell(paper: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = HEAD + row * (CELL + LABEL + GAP), GAP + column * (CELL + GAP)
    return paper[top : top + CELL, left : left + CELL]


def test_rows_are_pictures_and_columns_methods() -> None:
    sheet, paper = shown((32, 32), (32, 32))
    assert sheet.columns == ["noisy", "same", "grey", "clean"]
    assert paper.shape == (HEAD + 2 * (CELL + LABEL + GAP), GAP + 4 * (CELL + GAP), 3)
    for row in range(2):
        clean = batch(1, 32, 32, seed=row).clean[0].permute(1, 2, 0).numpy()
        times = CELL // 32
        assert np.array_equal(cell(paper, row, 3), clean.repeat(times, 0).repeat(times, 1))
        assert np.array_equal(cell(paper, row, 0), cell(paper, row, 1))
        assert (cell(paper, row, 2) == 128).all()


def test_grey_pictures_and_odd_sizes_fit() -> None:
    _, paper = shown((50, 31), channels=1)
    clean = cell(paper, 0, 3)
    assert (clean[..., 0] == clean[..., 1]).all()
    assert (clean[:4] == 255).all()  # 31 pixels, eight times as large, leave a margin of 4
    assert (clean[4:-4, 4:-4] < 255).all()


def test_the_best_of_a_row_is_in_green() -> None:
    _, paper = shown((32, 32))
    top = HEAD + CELL
    labels = [paper[top : top + LABEL, GAP + c * (CELL + GAP) :][:, :CELL] for c in range(4)]
    for label, ink in zip(labels, (BEST, BEST, INK), strict=False):  # the noisy picture, twice, and grey
        assert (label == np.array(ink)).all(-1).any()
    assert not (labels[2] == np.array(BEST)).all(-1).any()


def test_the_sheet_ends_after_its_rows() -> None:
    sheet, _ = shown(*[(16, 16)] * (ROWS + 2))
    assert [name for name, _ in sheet.rows] == [f"{index}-0" for index in range(ROWS)]


@pytest.mark.parametrize(("top", "left"), [*product((0, 100, 172), repeat=2)])
def test_the_cut_shows_the_detail(top: int, left: int) -> None:
    picture = np.full((3, 300, 300), 100, np.uint8)
    picture[:, top + 40 : top + 60, left + 40 : left + 60] = 250
    rows, columns = detail(picture)
    assert rows.stop - rows.start == columns.stop - columns.start == CROP
    assert (picture[:, rows, columns] == 250).sum() == 3 * 400


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3)])
def test_tiny_pictures_are_shown_whole_on_their_shorter_side(size: tuple[int, int]) -> None:
    rows, columns = detail(to_bytes(torch.zeros(1, *size)).numpy())
    assert rows.stop - rows.start == columns.stop - columns.start == min(size)
