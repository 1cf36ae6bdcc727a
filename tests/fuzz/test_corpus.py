"""Bugs that fuzzing found stay fixed: the corpus is replayed, and mutated in many ways."""

import json
import subprocess
import sys
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from n2n_core.models import architectures
from n2n_core.models.architectures import ARCHITECTURES
from tests.fuzz.targets import CORPUS, TARGETS, attempt

MEMORY = 128 * 2**20
"""Bytes that the files of a corpus may take beyond what the reader itself takes; each is small."""

SEEDS = {target: [path.read_bytes() for path in sorted((CORPUS / target).iterdir())] for target in TARGETS}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("target", TARGETS)
def test_every_file_is_read_or_refused_in_little_time_and_memory(target: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.replay", target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["memory"] < MEMORY, told
    assert told["beyond"] == [], told


def test_the_corpus_is_small() -> None:
    assert all(SEEDS.values())
    assert sum(len(data) for seeds in SEEDS.values() for data in seeds) < 400_000


@st.composite
def changed(draw: st.DrawFn, target: str) -> bytes:
    """A file of the corpus, with some bytes replaced, left out or repeated."""
    data = draw(st.sampled_from(SEEDS[target]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(start + 16, len(data))))
        data = data[:start] + draw(st.binary(max_size=8) | st.just(data[start:end] * 2)) + data[end:]
    return data


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_changed_files_are_read_or_refused(target: str, data: st.DataObject) -> None:
    with warnings.catch_warnings(action="ignore"):  # Pillow's, of damaged EXIF data
        attempt(target, data.draw(changed(target)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
SIZES = st.lists(st.integers(-2, 5) | st.sampled_from([2**31, 2**40, 2**70]), max_size=5)
ARCHITECTURE = JSON | st.fixed_dictionaries(
    {"family": st.sampled_from(sorted(ARCHITECTURES)) | st.text(max_size=4)},
    optional={
        "channels": SIZES | st.integers(-1, 8) | JSON,
        "blocks": SIZES | JSON,
        "hidden": st.integers() | JSON,
        "skip": st.booleans() | JSON,
        "residual": st.booleans() | JSON,
    },
)
SMALL = architectures.AutoEncoder((4, 3), skip=False)


@settings(max_examples=300, deadline=None)
@given(ARCHITECTURE, JSON)
def test_a_weights_file_may_say_of_itself_what_it_likes(architecture: Any, recipe: Any) -> None:
    state = {name: tensor.contiguous() for name, tensor in SMALL.build().state_dict().items()}
    metadata = {"architecture": json.dumps(architecture), "recipe": json.dumps(recipe)}
    attempt("weights", save(state, metadata))
