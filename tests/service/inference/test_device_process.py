"""Networks in a process of their own: the same results, whatever happens to the process."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from asyncio import wait_for
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
import torch

from n2n_core.errors import WeightsError
from n2n_core.image import Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from service.exceptions import RefusedError
from service.inference import device_process
from service.inference.device_process import TRIES, UNMEASURED, DeviceProcess, RemoteDenoiser
from service.inference.lines import BRIEF, LONG
from service.inference.shared_memory import LINE_FLOATS
from service.processes import watchdog
from service.processes.child import ChildDiedError
from service.processes.watchdog import ChildLateError
from tests.pairwise import grid

pytestmark = pytest.mark.anyio
SECONDS = 60
SHAPES = [(1, 3, 32, 32), (5, 3, 24, 40), (2, 3, 128, 96)]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
async def device(anyio_backend: str) -> AsyncIterator[DeviceProcess]:
    """One for all tests, as its process takes seconds to start; those that end it get another process."""
    device = DeviceProcess("cpu", threads=1)
    yield device
    device.close()


def remote(device: DeviceProcess, model: str = "torch") -> RemoteDenoiser:
    entry = weights.find(model)
    return RemoteDenoiser(device, entry.path, entry.sha256)


def batch_of(*shape: int) -> Pixels:
    return np.random.default_rng(sum(shape)).random(shape, np.float32)


def own(batch: Pixels, model: str = "torch") -> Pixels:
    """What the library makes of a batch, on as many threads as the tests' processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return Denoiser.load(weights.find(model).path, "cpu").run(torch.from_numpy(batch)).numpy()
    finally:
        torch.set_num_threads(before)


async def run(denoiser: RemoteDenoiser, batch: Pixels, line: int = LONG) -> Pixels:
    return await wait_for(denoiser.run(batch, line, "all"), SECONDS)


def pid(device: DeviceProcess) -> int:
    assert device._child
    return device._child.process.pid


def state(process: int) -> str:
    """``R`` running, ``S`` waiting, ``T`` stopped, ``Z`` zombie; empty if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(process: int) -> float:
    """That all threads of a process have taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def until(true: Callable[[], bool]) -> None:
    end = monotonic() + SECONDS
    while not true():
        assert monotonic() < end
        sleep(0.01)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    """What is sent to the process meanwhile is under way until the end."""
    os.kill(process, signal.SIGSTOP)
    until(lambda: state(process) == "T")
    yield
    os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize(
    ("model", "shape", "lane"),
    grid(sorted(weights.read_index()), [(1, 3, 32, 32), (5, 3, 24, 40), (2, 3, 128, 96)], (BRIEF, LONG)),
)
async def test_results_are_the_librarys_own(
    device: DeviceProcess, model: str, shape: tuple[int, ...], lane: int
) -> None:
    batch = batch_of(*shape)
    assert np.array_equal(await run(remote(device, model), batch, lane), own(batch, model))


async def test_results_stay_when_the_memory_is_used_again(device: DeviceProcess) -> None:
    denoiser = remote(device)
    batches = [batch_of(1, 3, 32, 32), batch_of(1, 3, 32, 32) / np.float32(2)]
    results = [await run(denoiser, batch) for batch in batches]
    for batch, result in zip(batches, results, strict=True):
        assert np.array_equal(result, own(batch))


@pytest.mark.slow
async def test_a_lane_does_not_wait_for_the_other(device: DeviceProcess) -> None:
    denoiser, large, small = remote(device), batch_of(1, 3, 576, 576), batch_of(1, 3, 32, 32)
    await run(denoiser, small)
    long = asyncio.ensure_future(run(denoiser, large, LONG))
    brief = await run(denoiser, small, BRIEF)
    assert not long.done()
    assert np.array_equal(brief, own(small))
    assert np.array_equal(await long, own(large))


@pytest.mark.slow
@linux
async def test_threads_that_wait_for_each_other_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    device, batch = DeviceProcess("cpu", threads=2), batch_of(1, 3, 32, 32)
    denoiser = remote(device, "scratch")
    await run(denoiser, batch)
    before = cpu_seconds(pid(device))
    for _ in range(30):
        await run(denoiser, batch)
        await asyncio.sleep(0.02)
    assert cpu_seconds(pid(device)) - before < 0.2  # where they watch each other: more than half a second
    device.close()


@pytest.mark.slow
@linux
async def test_killed_while_idle_it_is_started_anew(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    await run(denoiser, batch)
    killed = pid(device)
    os.kill(killed, signal.SIGKILL)
    assert np.array_equal(await run(denoiser, batch), own(batch))
    assert pid(device) != killed
    assert state(killed) == ""  # not even a zombie


@linux
async def test_killed_at_work_it_does_the_work_again_for_both_lanes(device: DeviceProcess) -> None:
    models = {BRIEF: "scratch", LONG: "torch"}
    denoisers = {lane: remote(device, model) for lane, model in models.items()}
    batches = {BRIEF: batch_of(2, 3, 32, 32), LONG: batch_of(1, 3, 128, 128)}
    for lane in models:  # both lines are waited on
        await run(denoisers[lane], batches[lane], lane)
    killed = pid(device)
    with stopped(killed):
        runs = [asyncio.ensure_future(run(denoisers[lane], batches[lane], lane)) for lane in models]
        await asyncio.sleep(0.05)
        assert not any(run.done() for run in runs)
        os.kill(killed, signal.SIGKILL)
    for lane, result in zip(models, await asyncio.gather(*runs), strict=True):
        assert np.array_equal(result, own(batches[lane], models[lane]))
    assert state(killed) == ""


@linux
async def test_the_event_loop_goes_on_while_a_process_starts(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    for lane in (BRIEF, LONG):
        await run(denoiser, batch, lane)
    os.kill(pid(device), signal.SIGKILL)
    both = asyncio.gather(*(run(denoiser, batch, lane) for lane in (BRIEF, LONG)))
    turns = [monotonic()]
    while not both.done():
        await asyncio.sleep(0.01)
        turns.append(monotonic())
    assert all(np.array_equal(result, own(batch)) for result in both.result())
    longest = max(later - earlier for earlier, later in pairwise(turns))
    assert longest < 0.3 * (turns[-1] - turns[0])  # most of which it takes to import torch


@pytest.mark.slow
@linux
async def test_killed_again_and_again_the_work_fails(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 576, 576)
    await run(denoiser, batch_of(1, 3, 32, 32))
    work = asyncio.ensure_future(run(denoiser, batch))
    killed = set()
    while not work.done():
        if device._child and pid(device) not in killed:
            killed.add(pid(device))
            os.kill(pid(device), signal.SIGKILL)
        await asyncio.sleep(0.001)
    with pytest.raises(ChildDiedError, match="the process of device cpu ended"):
        await work
    assert len(killed) == TRIES
    device.suspects.forget(denoiser.number)
    assert (await run(denoiser, batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)


@linux
async def test_stopped_at_work_it_is_killed_and_the_work_is_done_again(
    device: DeviceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.05)
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    await run(denoiser, batch)
    stopped = pid(device)
    os.kill(stopped, signal.SIGSTOP)
    assert np.array_equal(await run(denoiser, batch), own(batch))
    assert state(stopped) == ""
    os.kill(pid(device), signal.SIGSTOP)
    denoiser.calibrate()  # the control line is watched, too
    assert np.array_equal(await run(denoiser, batch), own(batch))


async def test_a_batch_that_takes_far_too_long_fails_once(
    device: DeviceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    denoiser = remote(device)
    await run(denoiser, batch_of(1, 3, 32, 32))
    late = pid(device)
    with monkeypatch.context() as patch:
        patch.setattr(device_process, "MOST_SECONDS", 0.01)
        with pytest.raises(ChildLateError, match=r"device cpu ended: it was killed after 0.01 s"):
            await run(denoiser, batch_of(1, 3, 576, 576))
    assert (await run(denoiser, batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)
    assert pid(device) != late


def copied(folder: Path, name: str) -> Path:
    path = folder / f"{name}.safetensors"
    path.write_bytes(weights.find(name).path.read_bytes())
    return path


@linux
async def test_what_cannot_be_loaded_again_is_left_out(device: DeviceProcess, tmp_path: Path) -> None:
    good, path, small = remote(device), copied(tmp_path, "scratch"), batch_of(1, 3, 32, 32)
    bad = RemoteDenoiser(device, path, weights.sha256(path))
    await run(bad, small)
    path.write_bytes(path.read_bytes()[:-1] + b"x")  # a damaged value, which no format would show
    os.kill(pid(device), signal.SIGKILL)
    assert np.array_equal(await run(good, small), own(small))
    assert bad.loss
    assert "sha256 is" in bad.loss
    with pytest.raises(RefusedError, match="cannot be loaded again"):
        await run(bad, small)


async def test_a_model_whose_load_ends_the_process_is_left_out(
    device: DeviceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, small = remote(device), batch_of(1, 3, 32, 32)
    monkeypatch.setattr(device_process, "WORKER", "tests.service.inference.dying_worker")
    device.close()
    path = copied(tmp_path, "scratch").rename(tmp_path / "deadly.safetensors")
    with pytest.raises(WeightsError, match="the process of device cpu ended"):
        RemoteDenoiser(device, path, weights.sha256(path))
    assert np.array_equal(await run(good, small), own(small))


@pytest.mark.slow
@linux
async def test_killed_before_a_call_the_call_is_made_again(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    denoiser.calibrate()
    for call in (denoiser.calibrate, lambda: remote(device, "scratch")):
        os.kill(pid(device), signal.SIGKILL)
        call()
    assert np.array_equal(await run(denoiser, batch), own(batch))


async def test_a_batch_beyond_the_shared_memory_is_refused(device: DeviceProcess) -> None:
    denoiser, side = remote(device), 1200
    assert 3 * side**2 > LINE_FLOATS
    with pytest.raises(MemoryError, match=f"a batch has {3 * side**2} values, at most {LINE_FLOATS} fit"):
        await run(denoiser, batch_of(1, 3, side, side))
    assert (await run(denoiser, batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)


@linux
async def test_lack_of_memory_over_there_is_told_as_such(device: DeviceProcess) -> None:
    import resource

    denoiser, small = remote(device), batch_of(1, 3, 32, 32)
    await run(denoiser, small)
    used = int(Path(f"/proc/{pid(device)}/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.prlimit(pid(device), resource.RLIMIT_AS)
    resource.prlimit(pid(device), resource.RLIMIT_AS, (used, limits[1]))
    with pytest.raises(MemoryError, match="can't allocate memory"):
        await run(denoiser, batch_of(1, 3, 576, 576))
    resource.prlimit(pid(device), resource.RLIMIT_AS, limits)
    assert np.array_equal(await run(denoiser, small), own(small))


async def test_other_errors_are_told_with_their_kind(device: DeviceProcess) -> None:
    denoiser = remote(device)
    with pytest.raises(RuntimeError, match=r"channels"):
        await run(denoiser, batch_of(1, 2, 32, 32))
    assert (await run(denoiser, batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("running", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_damaged_weights_file_is_told_as_such(device: DeviceProcess, tmp_path: Path, running: bool) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(weights.find("torch").path.read_bytes()[:1000])
    remote(device).calibrate()
    if not running:
        device.close()
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        RemoteDenoiser(device, bad, weights.sha256(bad))
    gc.collect()
    remote(device).calibrate()
    assert len(device._models) <= 1


@pytest.mark.slow
@linux
async def test_after_its_death_nothing_asks_for_a_damaged_file(device: DeviceProcess, tmp_path: Path) -> None:
    denoiser, bad = remote(device), tmp_path / "bad.safetensors"
    await run(denoiser, batch_of(1, 3, 32, 32))
    bad.write_bytes(b"nothing")
    with pytest.raises(WeightsError):
        device.add(bad, weights.sha256(bad))
    os.kill(pid(device), signal.SIGKILL)
    assert (await run(denoiser, batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)


async def test_a_model_that_nobody_holds_is_freed_at_the_next_measure(device: DeviceProcess) -> None:
    kept, dropped = remote(device), remote(device, "scratch")
    kept.calibrate()
    number, batch = dropped.number, batch_of(1, 3, 32, 32)
    await run(dropped, batch)
    del dropped
    gc.collect()
    await device.run(LONG, number, batch, "all")  # still there
    kept.calibrate()
    with pytest.raises(KeyError, match=f"^{number}"):
        await device.run(LONG, number, batch, "all")
    assert np.array_equal(await run(kept, batch), own(batch))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceProcess]:
    """A device that measures its models, as the service's own does."""
    monkeypatch.delenv(UNMEASURED)
    device = DeviceProcess("cpu", threads=1)
    yield device
    device.close()


def test_calibration_measures_the_throughput(measured: DeviceProcess) -> None:
    denoiser = remote(measured)
    before = denoiser.throughput
    denoiser.calibrate()
    assert denoiser.throughput is not before
    assert denoiser.throughput.sweet_pixels in {n * 1024 for n in (4, 8, 16, 32)}
    assert 0 < denoiser.throughput.seconds_per_pixel < 1


@pytest.mark.slow
@linux
async def test_to_close_it_ends_the_process(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    await run(denoiser, batch)
    process = pid(device)
    device.close()
    assert state(process) == ""
    device.close()  # which is nothing new
    assert np.array_equal(await run(denoiser, batch), own(batch))  # and whoever asks, gets another one


@pytest.mark.slow
@linux
async def test_to_forget_it_ends_the_process() -> None:
    device = DeviceProcess("cpu", threads=1)
    await run(remote(device), batch_of(1, 3, 32, 32))
    process = pid(device)
    del device
    gc.collect()
    until(lambda: state(process) == "")
    device = DeviceProcess("cpu", threads=1)  # its lines may get the numbers of those that the loop watched
    assert (await run(remote(device), batch_of(1, 3, 32, 32))).shape == (1, 3, 32, 32)
    device.close()


def test_an_event_loop_may_follow_another(device: DeviceProcess) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    for _ in range(2):
        assert np.array_equal(asyncio.run(run(denoiser, batch)), own(batch))


PARENT = """
import asyncio, time
from pathlib import Path
from n2n_core.models import weights
from service.inference.device_process import DeviceProcess, RemoteDenoiser
entry = weights.find("torch")
device = DeviceProcess("cpu", threads=1)
RemoteDenoiser(device, entry.path, entry.sha256).calibrate()
print(device._child.process.pid, flush=True)
time.sleep(60)
"""


@linux
def test_it_does_not_outlive_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        process = int(parent.stdout.readline())
        assert state(process) in "RS"
        parent.kill()
    until(lambda: state(process) in ("", "Z"))  # the zombie is of who inherits orphans


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_to_the_group_are_not_for_it(device: DeviceProcess, number: signal.Signals) -> None:
    denoiser, batch = remote(device), batch_of(1, 3, 32, 32)
    await run(denoiser, batch)
    process = pid(device)
    os.kill(process, number)
    assert np.array_equal(await run(denoiser, batch), own(batch))
    assert pid(device) == process
    assert os.getsid(process) == process  # a terminal's Ctrl-C does not even come


@pytest.mark.slow
@linux
async def test_its_memory_is_told_while_it_runs(device: DeviceProcess) -> None:
    device.close()
    assert device.resident_bytes() == 0
    remote(device)
    assert device.resident_bytes() > 10 * 2**20
    device.close()
    assert device.resident_bytes() == 0
