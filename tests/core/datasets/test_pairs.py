"""Training files are read without running pickled code, and errors name every bad file."""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from n2n_core.datasets.pairs import Pairs, check_pairs, load_pairs, save_pairs
from n2n_core.errors import DataError
from tests.pictures import course_pairs

PAIRS = course_pairs(3)
ZIP, LEGACY = {"_use_new_zipfile_serialization": True}, {"_use_new_zipfile_serialization": False}
FORMATS = pytest.mark.parametrize("options", [ZIP, LEGACY], ids=["zip", "legacy"])
IMAGES = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def same(a: Pairs, b: Pairs) -> bool:
    return a.input.equal(b.input) and a.target.equal(b.target)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    save_pairs(tmp_path / "new" / "a.pkl", PAIRS)
    assert same(load_pairs(tmp_path / "new" / "a.pkl"), PAIRS)
    assert same(load_pairs(str(tmp_path / "new" / "a.pkl")), PAIRS)


@FORMATS
@pytest.mark.parametrize("kind", [tuple, list])
def test_both_of_torchs_formats_are_read(tmp_path: Path, options: dict[str, bool], kind: Any) -> None:
    torch.save(kind(PAIRS), tmp_path / "a.pkl", **options)
    assert same(load_pairs(tmp_path / "a.pkl"), PAIRS)


def test_the_first_pairs_can_be_taken() -> None:
    assert same(PAIRS.take(2), Pairs(PAIRS.input[:2], PAIRS.target[:2]))
    assert same(PAIRS.take(9), PAIRS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.pkl", "no such file"), ("", "is a folder"), ("missing/a.pkl", "no such file")],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        load_pairs(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {reason}, expected a file of two tensors")


@FORMATS
def test_a_truncated_file_is_refused(tmp_path: Path, options: dict[str, bool]) -> None:
    path = tmp_path / "a.pkl"
    torch.save((IMAGES, IMAGES), path, **options)
    content = path.read_bytes()
    for length in range(0, len(content), 9):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="not a readable file of two tensors"):
            load_pairs(path)


OTHERS = [b"", b"hello", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"id,noisy\n1,2\n", b"\x80\x02.", b"\0" * 99]


@pytest.mark.parametrize("content", OTHERS)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"a.pkl: not a readable file of two tensors"):
        load_pairs(tmp_path / "a.pkl")


def plain(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))


def zipped(value: Any, path: Path) -> None:
    torch.save(value, path, **ZIP)


def legacy(value: Any, path: Path) -> None:
    torch.save(value, path, **LEGACY)


@pytest.mark.parametrize("write", [plain, zipped, legacy])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, write: Callable[[Any, Path], None]) -> None:
    write((Touch(tmp_path / "ran"), IMAGES), tmp_path / "a.pkl")
    with pytest.raises(DataError, match=r"a.pkl: not a readable file of two tensors"):
        load_pairs(tmp_path / "a.pkl")
    assert not (tmp_path / "ran").exists()


def test_that_code_would_run_elsewhere(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Touch(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


class Asking:
    """Asks for something when it is unpickled."""

    def __init__(self, *asked: Any) -> None:
        self.asked = asked

    def __reduce__(self) -> tuple[Any, ...]:
        return self.asked[0], self.asked[1:]


ASKED = {
    "memory": (Asking(bytearray, 10**9), IMAGES),
    "uninitialised values": (Asking(torch.ByteTensor, 2, 3, 4, 5), IMAGES),
    "sparse": (IMAGES.to_sparse(), IMAGES.to_sparse()),
    "meta": (IMAGES.to("meta"), IMAGES.to("meta")),
    "repeated": (IMAGES[:1].expand(10**6, 3, 4, 5),) * 2,
    "overlapping": (torch.zeros(999, dtype=torch.uint8).as_strided((99, 3, 4, 5), (4, 1, 1, 1)),) * 2,
}
REFUSED = (
    "not a readable file of two tensors .*expected plain tensors|expected all values, without repetition"
)


@FORMATS
@pytest.mark.parametrize("name", ASKED)
def test_a_small_file_gets_no_more_than_its_own_bytes(
    tmp_path: Path, options: dict[str, bool], name: str
) -> None:
    if name in ("sparse", "meta") and options is LEGACY:
        pytest.skip("torch cannot write it")
    torch.save(ASKED[name], tmp_path / "a.pkl", **options)
    with pytest.raises(DataError, match=REFUSED):
        load_pairs(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda target, name, content: target.writestr(name, content, zipfile.ZIP_DEFLATED), "compressed"),
        (
            lambda target, name, content: target.writestr(
                name, content + b"." * 2**16 * name.endswith("data.pkl")
            ),
            "expected at most 65536",
        ),
    ],
)
def test_a_zip_that_torch_does_not_write_is_refused(
    tmp_path: Path, change: Callable[[zipfile.ZipFile, str, bytes], None], reason: str
) -> None:
    torch.save((IMAGES, IMAGES), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as source, zipfile.ZipFile(tmp_path / "a.pkl", "w") as target:
        for name in source.namelist():
            change(target, name, source.read(name))
    with pytest.raises(DataError, match=reason):
        load_pairs(tmp_path / "a.pkl")


def test_a_zip_whose_members_are_one_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    torch.save((IMAGES, torch.zeros(9000, dtype=torch.uint8)), path)
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    end = content.index(b"PK\6\6", start) if b"PK\6\6" in content else content.index(b"PK\5\6", start)
    records = content[start:end]
    with zipfile.ZipFile(path) as archive:
        total = len(archive.infolist())
    again = (
        content[:start]
        + records * 2
        + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2 * total, 2 * total, 2 * len(records), start, 0)
    )
    path.write_bytes(again)
    with pytest.raises(DataError, match=r"its parts have \d+ bytes, and it has"):
        load_pairs(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "contains a int, expected a tuple of two tensors"),
        (IMAGES, "contains a Tensor, expected a tuple of two tensors"),
        ({"a": IMAGES}, "contains a dict, expected a tuple of two tensors"),
        ((IMAGES,), "contains a tuple of 1, expected a tuple of two tensors"),
        ([IMAGES] * 3, "contains a list of 3, expected a tuple of two tensors"),
        ((IMAGES, None), r"\[1\]: is a NoneType, expected a tensor"),
        ((IMAGES, IMAGES.float()), r"\[1\]: dtype is torch.float32, expected torch.uint8"),
        ((IMAGES.long(), IMAGES), r"\[0\]: dtype is torch.int64, expected torch.uint8"),
        ((IMAGES[0], IMAGES), r"\[0\]: shape is \(3, 4, 5\), expected \(N, C, H, W\)"),
        ((IMAGES[:0], IMAGES[:0]), r"\[0\]: shape is \(0, 3, 4, 5\), expected \(N, C, H, W\)"),
        ((IMAGES, IMAGES[:1]), r"shapes are \(2, 3, 4, 5\) and \(1, 3, 4, 5\), expected equal shapes"),
        ((IMAGES, IMAGES.transpose(2, 3)), "shapes are .*, expected equal shapes"),
    ],
)
def test_what_a_file_holds_must_be_pairs(tmp_path: Path, value: Any, message: str) -> None:
    torch.save(value, tmp_path / "a.pkl")
    with pytest.raises(DataError, match=message) as caught:
        load_pairs(tmp_path / "a.pkl")
    assert str(caught.value).startswith(str(tmp_path / "a.pkl"))


def test_pairs_in_memory_are_checked_too() -> None:
    assert same(check_pairs((IMAGES, IMAGES)), Pairs(IMAGES, IMAGES))
    with pytest.raises(DataError, match=r"mine\[0\]: is a str, expected a tensor"):
        check_pairs(("x", IMAGES), "mine")


@pytest.mark.parametrize("kind", ["sparse", "meta"])
def test_pairs_in_memory_have_values(kind: str) -> None:
    with pytest.raises(DataError, match=r"pairs\[0\]: is sparse, nested or without values"):
        check_pairs([ASKED[kind][0]] * 2)


def test_saving_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pkl"
    save_pairs(path, PAIRS)

    def fail(value: tuple[Tensor, Tensor], target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_pairs(path, Pairs(IMAGES, IMAGES))
    assert same(load_pairs(path), PAIRS)
    assert list(tmp_path.iterdir()) == [path]
