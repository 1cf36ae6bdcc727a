"""Files and folders are written completely or not at all."""

import threading
from pathlib import Path

import pytest

from n2n_core.errors import StorageError
from n2n_core.files import atomic_folder, atomic_path, storing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that holds ``old``, alone in its folder."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    return path


def alone(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


def test_a_block_that_ends_well_replaces_the_file(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert alone(path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("content", ["", "half"])
def test_a_block_that_fails_leaves_the_old_file(path: Path, error: type[BaseException], content: str) -> None:
    with pytest.raises(error), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text(content)
        raise error
    assert path.read_text() == "old"
    assert alone(path)


def test_a_block_that_fails_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), atomic_path(tmp_path / "b") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_fails_and_leaves_the_old_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert path.read_text() == "old"
    assert alone(path)


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"\0\1")
    assert path.read_bytes() == b"\0\1"


def test_a_reader_never_sees_half(path: Path) -> None:
    contents = [letter * 300_000 for letter in "ab"]
    with atomic_path(path) as temporary:
        temporary.write_text(contents[0])
    done = threading.Event()
    seen: list[str] = []

    def read() -> None:
        while not done.is_set():
            seen.append(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        with atomic_path(path) as temporary, temporary.open("w") as file:
            for start in range(0, 300_000, 100_000):
                file.write(contents[turn % 2][start : start + 100_000])
                file.flush()
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= set(contents)


def test_what_the_system_says_against_writing_is_an_error_with_the_path(path: Path) -> None:
    with pytest.raises(StorageError, match=r"a\.txt: cannot be written \(Not a directory\)"), storing(path):
        (path / "below").write_text("new")
    with pytest.raises(ValueError, match="no"), storing(path):
        raise ValueError("no")


def test_two_writers_do_not_share_a_temporary_file(path: Path) -> None:
    with atomic_path(path) as first, atomic_path(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer block ends last
    assert alone(path)


def test_a_link_leads_to_the_new_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    with atomic_path(tmp_path / ("a" * 255)) as temporary:
        temporary.write_text("new")
    assert (tmp_path / ("a" * 255)).read_text() == "new"


def test_a_folder_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "a.txt").write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert (path / "deep" / "a.txt").read_text() == "new"
    assert alone(path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_whose_block_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), atomic_folder(tmp_path / "folder") as temporary:  # noqa: PT012
        (temporary / "a.txt").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_nothing(path: Path) -> None:
    (path.parent / "link").symlink_to("nowhere")
    for taken in (path, path.parent, path.parent / "link"):
        with pytest.raises(FileExistsError, match="exists, expected a new folder"), atomic_folder(taken):
            pass
    assert path.read_text() == "old"


def test_of_two_writers_of_a_folder_one_wins(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(OSError, match="folder"), atomic_folder(folder) as late:  # noqa: PT012
        (late / "a.txt").write_text("late")
        with atomic_folder(folder) as early:
            (early / "a.txt").write_text("early")
    assert (folder / "a.txt").read_text() == "early"
    assert alone(folder)
