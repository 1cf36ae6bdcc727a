"""Hostile archives, over HTTP and on the command line: too large, leading outside, or without pictures."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from n2n_core import cli
from tests.hostile.bombs import GOOD, TOO_LARGE, with_pages
from tests.hostile.conftest import Server

PNG = GOOD["png"]
ZEROS = 69_000_000  # a little more than any archive may unpack to


def zipped(members: Mapping[str, bytes], mode: int = 0) -> bytes:
    """A ZIP; ``mode`` is that of its files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr = name, mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A TAR."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            archive.addfile(info, BytesIO(content))
    return buffer.getvalue()


BOMB = tarred(("a.png", bytes(ZEROS)))
LIMITS = {
    "zip": ("archive_ratio", zipped({"a.png": bytes(ZEROS)})),
    "tar.gz": ("archive_ratio", gzip.compress(BOMB)),
    "tar.bz2": ("archive_ratio", bz2.compress(BOMB)),
    "tar.xz": ("archive_ratio", lzma.compress(BOMB, preset=0)),
    "zip of hidden files": ("archive_ratio", zipped({f".{n}": bytes(ZEROS // 20) for n in range(20)})),
    "zip of many": ("too_many_entries", zipped({f"{n}.png": b"" for n in range(1001)})),
    "tar of many": ("too_many_entries", gzip.compress(tarred(*((f"{n}.png", b"") for n in range(1001))))),
    "long name in a zip": ("name_too_long", zipped({"a" * 200 + ".png": PNG})),
    "long name in a tar": ("name_too_long", tarred(("a/" * 100 + "b.png", PNG))),
    "large picture in a zip": ("image_too_large", zipped({"a.png": TOO_LARGE["png, in its header"]})),
    "large tiles in a tar": ("image_too_large", tarred(("a.tif", TOO_LARGE["tiff, in its tiles"]))),
    "large picture": ("image_too_large", TOO_LARGE["jpeg, in its header"]),
    "many pages": ("too_many_frames", with_pages(21)),
}  # fmt: skip
NAMES = [
    "../a.png", "a/../../b.png", "/etc/a.png", "C:\\a.png", "..\\a.png", "\\\\host\\share\\a.png",
    "a\0/../b.png",
]  # fmt: skip
BAD = {
    **{f"zip with {name!r}": zipped({name: PNG}) for name in NAMES},
    **{f"tar with {name!r}": tarred((name, PNG)) for name in NAMES if "\0" not in name},
    "zip with a link": zipped({"a.png": b"/etc/passwd"}, 0o120777),
    "zip with a device": zipped({"a.png": b""}, 0o020666),
    "tar with a symbolic link": tarred(("a.png", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "tar with a hard link": tarred(("a.png", b""), kind=tarfile.LNKTYPE, link="../../etc/passwd"),
    "tar with a device": tarred(("a.png", b""), kind=tarfile.CHRTYPE),
    "tar with a pipe": tarred(("a.png", b""), kind=tarfile.FIFOTYPE),
    "zip in a zip": zipped({"a.zip": zipped({"a.png": PNG})}),
    "gz in a gz": gzip.compress(gzip.compress(tarred(("a.png", PNG)))),
    "gz of zeros": gzip.compress(bytes(1_000_000)),
    "the same name twice": tarred(("a.png", PNG), ("a.png", PNG)),
    "a truncated zip": zipped({"a.png": PNG})[:-30],
    "a truncated tar.gz": gzip.compress(tarred(("a.png", PNG)))[:-30],
    "a damaged picture": zipped({"a.png": PNG[:200]}),
    "a script": zipped({"a.png": b"#!/bin/sh\nid\n"}),
}  # fmt: skip


def import_(server: Server, content: bytes, name: str = "a.png") -> httpx.Response:
    data = {"kind": "single", "name": "mine"}
    return httpx.post(f"{server.url}/datasets", data=data, files={"file": (name, content)}, timeout=300)


@pytest.mark.parametrize("name", LIMITS)
def test_more_than_the_limits_allow_is_refused_by_its_own_code(server: Server, name: str) -> None:
    code, content = LIMITS[name]
    assert len(content) < 1_000_000
    answer = import_(server, content, "a.tif" if name == "many pages" else "a.png")
    assert (answer.status_code, answer.json()["code"]) == (413, code), answer.text
    assert "N2N_MAX_" in answer.json()["detail"]


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_archive_is_refused_and_nothing_of_it_kept(server: Server, name: str) -> None:
    before = sorted(server.folder.rglob("*"))
    answer = import_(server, BAD[name])
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_dataset"), answer.text
    assert sorted(server.folder.rglob("*")) == before
    assert "root:" not in answer.text


@pytest.mark.parametrize("name", BAD)
def test_the_command_line_has_one_line_for_it(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(BAD[name])
    arguments = ["dataset", "import", tmp_path / "a.png", "-o", tmp_path / "made", "--kind", "single"]
    assert cli.main(list(map(str, arguments))) == 2
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1, told
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
