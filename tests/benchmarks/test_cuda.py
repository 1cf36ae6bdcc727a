"""Run the CUDA benchmark as a command."""

import subprocess
import sys

import pytest
import torch

COMMAND = [sys.executable, "-m", "benchmarks.cuda", "--pairs", "2"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_a_device_it_says_so() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "benchmarks.cuda needs a CUDA device, and torch finds none\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_it_prints_every_case() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    assert done.stdout.count("pictures a second") == 6
    assert done.stdout.count("1024 x 1024") == 2
