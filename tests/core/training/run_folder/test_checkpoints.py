"""Checkpoints are restored exactly, or rejected."""

from pathlib import Path
from typing import Any

import pytest
import torch

from n2n_core.errors import ConfigError, StorageError, WeightsError
from n2n_core.training.run_folder import checkpoints

STATE: dict[str, Any] = dict.fromkeys(sorted(checkpoints.NEEDED), 1) | {"best": {"epoch": 2, "score": 1.5}}


def test_a_state_comes_back_and_what_it_lacks_has_its_default(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, STATE)
    assert checkpoints.load(tmp_path) == STATE | {"initial": None, "validated": -1, "average": {}}


def test_nothing_to_load_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no checkpoint\.pt, expected a run to resume"):
        checkpoints.load(tmp_path)


@pytest.mark.parametrize("wrong", [STATE | {"more": 1}, {"epoch": 1}, [1, 2]])
def test_another_content_is_refused(wrong: Any, tmp_path: Path) -> None:
    torch.save(wrong, tmp_path / checkpoints.FILE)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        checkpoints.load(tmp_path)


def test_code_is_never_run(tmp_path: Path) -> None:
    torch.save(STATE | {"config": Path}, tmp_path / checkpoints.FILE)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        checkpoints.load(tmp_path)


def test_a_checkpoint_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"checkpoint\.pt: cannot be written"):
        checkpoints.save(tmp_path / "file", STATE)
