"""Archives are read completely or rejected with a reason, and never write outside the folder."""

import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from n2n_core.datasets.importing import archives, unpacking
from n2n_core.datasets.importing.archives import Limits, is_archive, unpack
from n2n_core.errors import ArchiveError, LimitError
from tests.core.datasets.sources import write_tar, write_zip
from tests.fuzz.cost import Bound, measured
from tests.hostile.slow_archives import END, SLOW, SPARSE, extended, header, record, tar

FILES = {"a.png": b"first", "deep/b.png": b"second" * 400_000, "empty.txt": b""}
TARS = ["w", "w:gz", "w:bz2", "w:xz"]
Write = Callable[[Path, dict[str, bytes]], Path]
BOTH = pytest.mark.parametrize("write", [write_zip, write_tar], ids=["zip", "tar"])


def taken(path: Path, limits: Limits = Limits()) -> dict[str, bytes]:  # noqa: B008
    folder = path.with_name("taken")
    folder.mkdir(exist_ok=True)
    return {member.name: member.path.read_bytes() for member in unpack(path, folder, limits)}


def refused(path: Path, reason: str, limits: Limits = Limits()) -> None:  # noqa: B008
    before = set(path.parent.parent.rglob("*"))
    with pytest.raises((ArchiveError, LimitError), match=reason) as caught:
        taken(path, limits)
    assert str(caught.value).startswith(path.name)
    new = set(path.parent.parent.rglob("*")) - before
    assert all(p == path.with_name("taken") or p.parent == path.with_name("taken") for p in new)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_is_read(tmp_path: Path, method: int) -> None:
    assert taken(write_zip(tmp_path / "a", FILES, method)) == FILES


@pytest.mark.parametrize("mode", TARS)
def test_a_tar_is_read(tmp_path: Path, mode: str) -> None:
    assert taken(write_tar(tmp_path / "a", FILES, mode)) == FILES


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read(tmp_path: Path, format: int) -> None:
    name = "x" * 200 + ".png"
    with tarfile.open(tmp_path / "a", "w", format=format) as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert taken(tmp_path / "a") == {name: b""}


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_an_xz_of_several_streams_is_read(tmp_path: Path, parts: int) -> None:
    content = write_tar(tmp_path / "plain", FILES).read_bytes()
    cuts = [content[i * len(content) // parts : (i + 1) * len(content) // parts] for i in range(parts)]
    (tmp_path / "a").write_bytes(b"".join(lzma.compress(cut) + bytes(4) for cut in cuts))
    assert taken(tmp_path / "a") == FILES


@BOTH
def test_what_file_managers_leave_is_skipped(tmp_path: Path, write: Write) -> None:
    junk = [".DS_Store", "__MACOSX/._a.png", "x/Thumbs.db", ".hidden/a.png", "x/.a.png", "desktop.ini"]
    files = {"a.png": b"x", **dict.fromkeys(junk, b"junk")}
    assert list(taken(write(tmp_path / "a", files))) == ["a.png"]


@BOTH
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/a.png", "is absolute"),
        ("C:/a.png", "is absolute"),
        ("\\\\host\\a.png", "is absolute"),
        ("../a.png", r"with '\.\.'"),
        ("x/../../a.png", r"with '\.\.'"),
        ("x\\..\\a.png", r"with '\.\.'"),
        ("x" * 600, "has 600 characters"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, write: Write, name: str, reason: str) -> None:
    refused(write(tmp_path / "a", {"good.png": b"x", name: b"evil"}), reason)


def test_a_null_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    content = write_zip(tmp_path / "a", {"aXb.png": b"x"}).read_bytes()
    (tmp_path / "a").write_bytes(content.replace(b"aXb.png", b"a\0b.png"))
    refused(tmp_path / "a", "null byte")


@BOTH
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names_are_refused(tmp_path: Path, write: Write) -> None:
    refused(write(tmp_path / "a", {"x/a.png": b"1", "x//a.png": b"2"}), "two members are called 'x/a.png'")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    refused(tmp_path / "a", "'a.png' is a link, a device or sparse")


@pytest.mark.parametrize("kind", [0o120777, 0o020666, 0o060666, 0o010666, 0o140666])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        info = zipfile.ZipInfo("a.png")
        info.external_attr = kind << 16
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a", "'a.png' is a link or a device")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    content = bytearray(write_zip(tmp_path / "a", {"a.png": b"x"}).read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    content[6] |= 1
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", "'a.png' is encrypted")


def test_rare_compression_is_refused(tmp_path: Path) -> None:
    refused(write_zip(tmp_path / "a", {"a.png": b"x"}, zipfile.ZIP_LZMA), "method 14, expected deflate")


@pytest.mark.parametrize("mode", TARS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_tar_is_refused(tmp_path: Path, mode: str, share: float) -> None:
    files = {f"{i}.png": os.urandom(20_000) for i in range(5)}
    content = write_tar(tmp_path / "a", files, mode).read_bytes()
    cut = 5 * 20_992 if (mode, share) == ("w", 0.99) else int(len(content) * share)  # without end mark
    (tmp_path / "a").write_bytes(content[:cut])
    refused(tmp_path / "a", "damaged or truncated")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_zip_is_refused(tmp_path: Path, share: float) -> None:
    content = write_zip(tmp_path / "a", FILES).read_bytes()
    (tmp_path / "a").write_bytes(content[: int(len(content) * share)])
    refused(tmp_path / "a", "damaged or truncated")


def test_a_damaged_header_in_the_middle_of_a_tar_is_refused(tmp_path: Path) -> None:
    content = bytearray(write_tar(tmp_path / "a", FILES).read_bytes())
    content[content.rindex(b"ustar")] = 0
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", "a header is damaged at byte")


def test_a_damaged_member_of_a_zip_is_refused(tmp_path: Path) -> None:
    content = write_zip(tmp_path / "a", {"a.png": b"content"}).read_bytes()
    (tmp_path / "a").write_bytes(content.replace(b"content", b"CONTENT"))
    refused(tmp_path / "a", "damaged or truncated.*CRC")


@BOTH
def test_too_many_members_are_refused(tmp_path: Path, write: Write) -> None:
    files = {f"{i}.png": b"" for i in range(11)}
    assert len(taken(write(tmp_path / "a", files), Limits(members=11))) == 11
    refused(tmp_path / "a", "more than 10 members", Limits(members=10))


def test_a_huge_directory_of_a_zip_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(tmp_path / "a", {"x" * 200 + str(i): b"" for i in range(100)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(path, "more than 10 members", Limits(members=10))


def test_the_directory_of_a_zip64_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 5)
    path = write_zip(tmp_path / "a", {f"{i}.png": b"" for i in range(9)})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\5\6") + 12, 2**32 - 1)
    path.write_bytes(content)
    assert len(taken(path)) == 9
    refused(path, "more than 1 members", Limits(members=1))


@BOTH
@pytest.mark.parametrize("name", ["b.png", ".hidden"])
def test_too_much_in_total_is_refused(tmp_path: Path, write: Write, name: str) -> None:
    path = write(tmp_path / "a", {"a.png": bytes(1000), name: bytes(1000)})
    assert taken(path, Limits(total_bytes=2000))
    refused(path, "too large when unpacked", Limits(total_bytes=1999))


def test_bombs_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("n2n_core.datasets.importing.archives.MARGIN", 2**20)
    bomb = {"a.png": bytes(2**24)}
    refused(write_zip(tmp_path / "a", bomb, zipfile.ZIP_DEFLATED), "too large when unpacked, at 'a.png'")
    for mode in TARS[1:]:
        refused(write_tar(tmp_path / "b", bomb, mode), "too large when unpacked, at 'a.png'")
    assert taken(write_tar(tmp_path / "c", bomb)) == bomb  # no compression, no bomb


def test_a_zip_whose_headers_lie_is_noticed_by_what_comes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a", {"a.png": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", content, content.index(magic) + offset, 10)
    path.write_bytes(content)
    with pytest.raises((ArchiveError, LimitError)):
        taken(path)


def test_headers_of_a_tar_take_little_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**24
    (tmp_path / "a").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**24 + 10240))
    refused(tmp_path / "a", f"larger than {unpacking.HEADER_BYTES} bytes")


@pytest.mark.slow
def test_an_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters: list[dict[str, Any]] = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**29, "mode": lzma.MODE_FAST}]
    encoder = lzma.LZMACompressor(filters=filters)
    content = encoder.compress(write_tar(tmp_path / "plain", {"a.png": b"x"}).read_bytes()) + encoder.flush()
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", "damaged or truncated.*[Mm]emory")


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "a").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    refused(tmp_path / "a", "sparse")


@pytest.mark.parametrize("name", SPARSE)
def test_an_extended_header_that_is_damaged_is_refused(tmp_path: Path, name: str) -> None:
    content = b"".join(SPARSE[name])
    (tmp_path / "a").write_bytes(content + header("a.png", size=600) + b"z\n" * 512 + END)
    refused(tmp_path / "a", "damaged or truncated|link, a device or sparse")


def test_fields_of_extended_headers_are_read(tmp_path: Path) -> None:
    fields = record("path", "b/ä.png") + record("mtime", "1700000000.123456789")
    common = extended(record("comment", "0123456789" * 4), tarfile.XGLTYPE)
    (tmp_path / "a").write_bytes(common + extended(fields) + header("a.png") + header("c.png") + END)
    assert taken(tmp_path / "a") == {"b/ä.png": b"", "c.png": b""}


@pytest.mark.parametrize("name", SLOW)
def test_a_tar_that_is_made_to_be_slow_is_not(tmp_path: Path, name: str) -> None:
    bound = Bound(seconds=0.25, seconds_per_kilobyte=0.001, peak=24 * 2**20, peak_per_byte=1)

    def attempt(data: bytes) -> None:
        (tmp_path / "a").write_bytes(data)
        refused(tmp_path / "a", "digits in a row|damaged at byte|fields for all")

    cost = measured(attempt, SLOW[name])
    assert bound.share(cost) < 1, cost


def test_headers_count_among_what_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MARGIN", 2**20)
    headers = (extended(record("k", "v" * 500_000)) + header(f"{number}.png") for number in range(8))
    (tmp_path / "a").write_bytes(tar(*headers))
    refused(tmp_path / "a", "too large when unpacked, with its headers")


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x89PNG")
    assert not is_archive(tmp_path / "a")
    refused(tmp_path / "a", "not an archive, expected a ZIP or a TAR")


SMALL = {"a.png": b"first", "b/c.png": b"second" * 50}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from([*TARS, "zip"]),
    at=st.integers(0, 10**6),
    value=st.integers(1, 255),
    cut=st.booleans(),
)
def test_damage_anywhere_is_refused_or_harmless(
    tmp_path: Path, mode: str, at: int, value: int, cut: bool
) -> None:
    path = tmp_path / "a"
    content = bytearray(
        (write_zip(path, SMALL) if mode == "zip" else write_tar(path, SMALL, mode)).read_bytes()
    )
    at %= len(content)
    content[at] ^= value
    path.write_bytes(content[:at] if cut else content)
    try:
        found = taken(path)
    except (ArchiveError, LimitError):
        return
    if mode in TARS[1:]:  # these have checksums of all that they hold
        assert found == SMALL
