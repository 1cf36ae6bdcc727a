"""Failures that are not retried."""

import errno
from pathlib import Path

import pytest
import torch

from n2n_core.errors import (
    ConfigError,
    DataError,
    DivergedError,
    OutOfMemoryError,
    StorageError,
    UnknownModelError,
    WeightsError,
)
from n2n_core.files import storing
from service.jobs.exit_codes import CODES, STATUSES, reason


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DivergedError(7, 1e38), "diverged"),
        (DataError("no pairs"), "bad_data"),
        (ConfigError("epochs is 0"), "bad_config"),
        (UnknownModelError("best", ["torch"]), "bad_config"),
        (WeightsError("not finite"), "bad_model"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryError(7, 16, 64), "out_of_memory"),
        (StorageError("log.jsonl", "permission denied"), "storage"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (OSError(errno.ENOSPC, "no space"), "disk_full"),
        (OSError(errno.EFBIG, "too large"), "disk_full"),
        (OSError(errno.EROFS, "read-only"), "disk_read_only"),
        (OSError(errno.ECONNRESET, "reset"), None),
        (RuntimeError("something else"), None),
        (KeyError("x"), None),
    ],
)
def test_an_error_has_its_code(error: Exception, code: str | None) -> None:
    assert reason(error) == code


def test_the_first_cause_counts() -> None:
    error = RuntimeError("[enforce fail at inline_container.cc] PytorchStreamWriter failed writing file")
    assert reason(error) == "disk_full"
    error.__context__ = OSError(errno.EROFS, "read-only")
    assert reason(error) == "disk_read_only"


def test_a_file_that_cannot_be_written_tells_why() -> None:
    known = {errno.ENOSPC: "disk_full", errno.EROFS: "disk_read_only", errno.EACCES: "storage"}
    for number, code in known.items():
        with pytest.raises(StorageError) as caught, storing(Path("log.jsonl")):
            raise OSError(number, "no")
        assert reason(caught.value) == code


def test_torchs_words_are_those_that_we_know(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert reason(caught.value) == "out_of_memory"


def test_statuses_and_codes_are_one_to_one() -> None:
    assert {STATUSES[code]: code for code in STATUSES} == CODES
