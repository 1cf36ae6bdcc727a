"""Devices by name."""

import pytest
import torch

from n2n_core.device import is_out_of_memory, limit_threads, pick_device
from n2n_core.errors import ConfigError

HAS_CUDA = torch.cuda.is_available()


def test_auto_is_cuda_where_there_is_one() -> None:
    assert pick_device().type == pick_device("auto").type == ("cuda" if HAS_CUDA else "cpu")


def test_the_cpu_is_always_there() -> None:
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device")
def test_cuda_where_there_is_one() -> None:
    assert pick_device("cuda").type == "cuda"
    assert pick_device("cuda:0") == torch.device("cuda:0")


@pytest.mark.skipif(HAS_CUDA, reason="needs a machine without CUDA")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_where_there_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"device is '{name}', expected auto, cpu or cuda"):
        pick_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "CPU", "cuda:-1", "cuda:99", "cpu cuda", "hpu", "auto "])
def test_names_that_are_no_device_here_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"device is '{name}', expected auto, cpu or cuda"):
        pick_device(name)


def test_the_reason_is_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        pick_device("vulkan")
    assert "\n" not in str(caught.value)


def test_a_device_without_values_is_none() -> None:
    with pytest.raises(ConfigError, match="device is 'meta'"):
        pick_device("meta")


def test_a_block_on_one_thread_leaves_the_number_as_it_was() -> None:
    before = torch.get_num_threads()
    with limit_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2) + torch.zeros(3)
    assert not is_out_of_memory(caught.value)
