"""Fixtures that several test modules of commands share."""

from pathlib import Path

import pytest

from n2n_core.datasets.pairs import Pairs, save_pairs
from tests.pictures import course_pairs


@pytest.fixture
def course_data(tmp_path: Path) -> Path:
    """A folder with the course's two files: 20 noisy pairs, 4 with the clean picture."""
    pairs = course_pairs(24)
    save_pairs(tmp_path / "train_data.pkl", Pairs(pairs.input[:20], pairs.input[:20].flip(0)))
    save_pairs(tmp_path / "val_data.pkl", Pairs(pairs.input[20:], pairs.target[20:]))
    return tmp_path
