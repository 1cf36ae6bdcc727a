"""Files of ``torch.save``, looked at before torch reads them.

``torch.load`` runs no code of strangers, but makes what a file of a few hundred bytes asks for:
``bytearray(10**10)``, tensors of uninitialised memory, members that unpack to a thousand times their size.
Here a file may ask for plain tensors whose values are in it, and for nothing else.
"""

from __future__ import annotations

import pickletools
import zipfile
from io import BytesIO
from pathlib import Path

PROGRAM_BYTES = 2**16
"""Most bytes of a file's pickled part. That of two tensors has hundreds."""

LEGACY_PROGRAMS = 5
"""Pickles at the start of a file that is no ZIP: two numbers, the system, the tensors, and what they hold."""

PLAIN = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    "torch.storage UntypedStorage",
}


def check(path: Path) -> None:
    """Look at all that torch would call, and unpack.

    Raises:
        ValueError: the file asks for more than plain tensors of its own bytes, or is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(PROGRAM_BYTES)
        if not start.startswith(b"PK\3\4"):
            programs = BytesIO(start)
            for _ in range(LEGACY_PROGRAMS):
                _check_program(programs)
            return
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_sizes(members, path.stat().st_size)
            for member in members:
                if member.filename.lower().endswith("data.pkl"):
                    _check_program(_program(archive, member))


def _check_sizes(members: list[zipfile.ZipInfo], most: int) -> None:
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed")
    total = sum(member.file_size for member in members)
    if total > most:
        raise ValueError(f"its parts have {total} bytes, and it has {most}")


def _program(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BytesIO:
    if member.file_size > PROGRAM_BYTES:
        raise ValueError(f"{member.filename} has {member.file_size} bytes, expected at most {PROGRAM_BYTES}")
    with archive.open(member) as file:
        return BytesIO(file.read(member.file_size))  # without a size, it allocates the compressed one


def _check_program(program: BytesIO) -> None:
    for operation, argument, _ in pickletools.genops(program):
        called = str(argument)
        if operation.name == "GLOBAL" and not (called in PLAIN or _is_storage(called)):
            raise ValueError(f"it holds {called.replace(' ', '.')}, expected plain tensors")
        if operation.name in ("STACK_GLOBAL", "INST"):
            raise ValueError(f"it has an operation {operation.name}, which torch.save does not write")


def _is_storage(called: str) -> bool:
    module, _, name = called.partition(" ")
    return module == "torch" and name.endswith("Storage")
