"""Fuzz a reader, guided by the coverage of its code: ``python -m tests.fuzz image -max_total_time=60``.

Options after the target are libFuzzer's. New inputs go to ``fuzz/TARGET``, which git ignores; an input that
breaks the reader is written there too, and belongs into ``tests/fuzz/corpus/TARGET`` once it is mended.

An input that costs more than the bound of ``targets`` breaks it, too. The worst for their size are told and
kept as ``fuzz/TARGET.slowest`` and ``fuzz/TARGET.hungriest``.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import atheris

from tests.fuzz.cost import Bound, Cost, measured

INSTRUMENTED = ["n2n_core", "PIL", "zipfile", "tarfile", "gzip", "bz2", "_compression", "safetensors"]
SLACK = 4
"""How much more than its bound an input may cost here, where the readers are instrumented."""

FOUND = Path("fuzz")
BOUNDS = ["-timeout=20", "-rss_limit_mb=3072", "-max_len=65536"]


def mutate_header(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a safetensors file's header, whose length goes before it, or any bytes of the file."""
    size = int.from_bytes(data[:8], "little")
    if seed % 4 == 0 or size > len(data) - 8:
        return bytes(atheris.Mutate(data, max_size))
    header, rest = data[8 : 8 + size], data[8 + size :]
    header = bytes(atheris.Mutate(header, max(max_size - 8 - len(rest), 1)))
    return len(header).to_bytes(8, "little") + header + rest


class Watch:
    """Gives inputs to a reader, and keeps those that cost most."""

    def __init__(self, work: Callable[[bytes], None], bound: Bound, place: Path) -> None:
        self.work, self.bound, self.place = work, bound, place
        self.worst = {"slowest": 0.0, "hungriest": 0.0}

    def __call__(self, data: bytes) -> None:
        cost = measured(self.work, data)
        kilobytes = max(cost.kilobytes, 1)
        self._note("slowest", cost.seconds / kilobytes, cost, data)
        self._note("hungriest", cost.peak / kilobytes, cost, data)
        assert self.bound.share(cost) < SLACK, cost

    def _note(self, what: str, value: float, cost: Cost, data: bytes) -> None:
        if value > self.worst[what]:
            self.worst[what] = value
            self.place.with_name(f"{self.place.name}.{what}").write_bytes(data)
            sys.stderr.write(f"{what} so far: {cost}\n")


def main() -> None:
    """Fuzz until libFuzzer's options or a finding end it."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import BOUND, CORPUS, TARGETS, attempt
    target, *options = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"the target is {target!r}, expected one of: {', '.join(TARGETS)}")
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    folders = [str(found), str(CORPUS / target)]
    arguments = [sys.argv[0], *BOUNDS, f"-artifact_prefix={found}/", *options, *folders]
    mutator = {"custom_mutator": mutate_header} if target == "weights" else {}
    for path in (CORPUS / target).iterdir():
        attempt(target, path.read_bytes())  # loads what is needed, which is no input's cost
    atheris.Setup(arguments, Watch(partial(attempt, target), BOUND, found), **mutator)
    atheris.Fuzz()


main()
