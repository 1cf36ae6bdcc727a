"""Boxes: values arrive whole, lie in the shared memory, and leave nothing behind."""

import os
from pickle import PickleBuffer

import numpy as np
import pytest

from service.processes.box import Box


@pytest.fixture
def box() -> Box:
    return Box.new()


@pytest.mark.parametrize("value", [None, 7, "text", b"", b"bytes" * 1000, {"a": [1, 2]}, np.zeros((0, 3))])
def test_a_value_arrives(box: Box, value: object) -> None:
    np.testing.assert_equal(box.take(box.put(value)), value)


def test_arrays_and_buffers_are_not_copied_into_the_pickle(box: Box) -> None:
    values, text = np.arange(100_000, dtype=np.float32).reshape(10, -1), os.urandom(50_000)
    sizes = box.put([values, PickleBuffer(text)])
    assert sizes[1:] == [values.nbytes, len(text)]
    assert sizes[0] < 1000
    found, buffer = box.take(sizes)
    np.testing.assert_array_equal(found, values)
    assert bytes(buffer) == text


def test_a_smaller_value_takes_the_place_of_a_larger_one(box: Box) -> None:
    box.put(np.ones(10**6))
    sizes = box.put("small")
    assert os.fstat(box.descriptor).st_size == sum(sizes)
    assert box.take(sizes) == "small"
    box.empty()
    assert os.fstat(box.descriptor).st_size == 0
