"""Fuzz a reader, guided by the coverage of its code: ``python -m tests.fuzz image -max_total_time=60``.

Options after the target are libFuzzer's. New inputs go to ``fuzz/TARGET``, which git ignores; an input that
breaks the reader is written there too, and belongs into ``tests/fuzz/corpus/TARGET`` once it is mended.
"""

import sys
from pathlib import Path

import atheris

INSTRUMENTED = ["n2n_core", "PIL", "zipfile", "tarfile", "gzip", "bz2", "_compression", "safetensors"]
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


def main() -> None:
    """Fuzz until libFuzzer's options or a finding end it."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import CORPUS, TARGETS, attempt
    target, *options = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"the target is {target!r}, expected one of: {', '.join(TARGETS)}")
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    folders = [str(found), str(CORPUS / target)]
    arguments = [sys.argv[0], *BOUNDS, f"-artifact_prefix={found}/", *options, *folders]
    mutator = {"custom_mutator": mutate_header} if target == "weights" else {}
    atheris.Setup(arguments, lambda data: attempt(target, data), **mutator)
    atheris.Fuzz()


main()
