"""The background process: results and errors arrive, and it ends when it should."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
import torch

from n2n_core.errors import ShapeError, StorageError, UnknownModelError
from service.processes.background import BackgroundProcess
from service.processes.child import ChildDiedError

SECONDS = 60
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def background() -> Iterator[BackgroundProcess]:
    background = BackgroundProcess()
    yield background
    background.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[BackgroundProcess]:
    """One for the tests that leave it as it was."""
    background = BackgroundProcess()
    yield background
    background.close()


class Stubborn(Exception):
    """Cannot be made again from what it was made of."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


ERRORS: dict[str, Callable[[], Exception]] = {
    "unknown": lambda: UnknownModelError("best", ["b", "a"]),
    "shape": lambda: ShapeError("here", "x's shape", (1, 2), "(N, 3)"),
    "storage": lambda: StorageError("file", "disk full"),
    "index": lambda: IndexError("scene is 9, expected 0 to 3"),
    "memory": lambda: MemoryError(),
}


def fail(name: str) -> None:
    raise ERRORS[name]()


def be_stubborn() -> None:
    raise Stubborn(1, 2)


def here(exists: Path) -> bool:
    while not exists.exists():
        sleep(0.01)
    return True


def gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


def until(true: Callable[[], bool]) -> None:
    end = monotonic() + SECONDS
    while not true():
        assert monotonic() < end
        sleep(0.01)


def test_results_come_from_one_other_process(shared: BackgroundProcess) -> None:
    assert shared.run(divmod, 7, 2) == (3, 1)
    assert shared.run(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]
    assert shared.run(os.getpid) == shared.run(os.getpid) != os.getpid()


def test_it_yields_to_requests_on_one_core(shared: BackgroundProcess) -> None:
    assert shared.run(os.nice, 0) > os.nice(0)
    assert shared.run(torch.get_num_threads) == 1


@pytest.mark.parametrize("name", ERRORS)
def test_errors_arrive_as_they_are(name: str, shared: BackgroundProcess) -> None:
    expected = ERRORS[name]()
    with pytest.raises(type(expected)) as caught:
        shared.run(fail, name)
    assert type(caught.value) is type(expected)
    assert str(caught.value) == str(expected)
    own = {key: value for key, value in vars(caught.value).items() if key != "__notes__"}
    assert own == vars(expected)


def test_where_an_unexpected_error_comes_from_is_told(shared: BackgroundProcess) -> None:
    with pytest.raises(IndexError) as caught:
        shared.run(fail, "index")
    assert "in fail" in caught.value.__notes__[0]


def test_an_error_that_cannot_travel_is_told_in_words(shared: BackgroundProcess) -> None:
    with pytest.raises(RuntimeError, match=r"Stubborn: 1 and 2"):
        shared.run(be_stubborn)
    assert shared.run(abs, -1) == 1


def test_what_cannot_be_sent_is_an_error_of_the_caller(shared: BackgroundProcess) -> None:
    with pytest.raises(Exception, match="pickle"):
        shared.run(lambda: None)
    assert shared.run(abs, -1) == 1


@pytest.mark.slow
@linux
def test_if_it_dies_the_call_fails_and_the_next_gets_another_one(background: BackgroundProcess) -> None:
    process = background.run(os.getpid)
    with pytest.raises(ChildDiedError, match="the background process ended while it ran _exit"):
        background.run(os._exit, 3)
    assert gone(process)
    assert background.run(os.getpid) != process


@pytest.mark.slow
@linux
def test_it_ends_when_there_is_nothing_to_do() -> None:
    background = BackgroundProcess(idle_seconds=0.5)
    process = background.run(os.getpid)
    until(lambda: gone(process))
    assert background.run(os.getpid) != process
    background.close()


@pytest.mark.slow
@linux
def test_it_ends_when_it_is_told_to_rest(background: BackgroundProcess) -> None:
    background.stop()
    process = background.run(os.getpid)
    background.stop()
    assert gone(process)
    assert background.run(abs, -1) == 1


@linux
def test_to_close_it_ends_what_it_does(background: BackgroundProcess, tmp_path: Path) -> None:
    process, failed = background.run(os.getpid), []

    def work() -> None:
        try:
            background.run(here, tmp_path / "never")
        except ChildDiedError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(background._calling.locked)
    background.close()
    thread.join(SECONDS)
    assert len(failed) == 1
    assert gone(process)
    with pytest.raises(ChildDiedError, match="stopping"):
        background.run(abs, -1)


@linux
def test_a_terminals_ctrl_c_does_not_come_to_it(shared: BackgroundProcess) -> None:
    process = shared.run(os.getpid)
    assert os.getsid(process) == process


WORKING = """
import os, time
from service.processes.background import BackgroundProcess
background = BackgroundProcess()
print(background.run(os.getpid), flush=True)
background.run(time.sleep, 600)
"""


@linux
def test_amid_its_work_it_ends_with_the_service() -> None:
    with subprocess.Popen([sys.executable, "-c", WORKING], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        process = int(service.stdout.readline())
        sleep(0.2)  # it sleeps by now
        assert not gone(process)
        service.kill()
    until(lambda: gone(process) or " Z " in Path(f"/proc/{process}/stat").read_text())
