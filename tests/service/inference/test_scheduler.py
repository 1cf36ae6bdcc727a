"""The scheduler of tiles: results, order, batches, lanes, faults."""

import asyncio
from asyncio import wait_for
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import torch
from torch import Generator

from n2n_core.image import Pixels
from n2n_core.inference import tiling
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import Throughput
from n2n_core.models import architectures, weights
from service.exceptions import DeadlineError, RefusedError
from service.inference.lane import BRIEF_SECONDS, SERIAL_SECONDS
from service.inference.lines import BRIEF, LONG, Cores
from service.inference.scheduler import Scheduler
from service.inference.tile_job import AGEING, TileJob
from service.processes.child import ChildDiedError

pytestmark = pytest.mark.anyio
SECONDS = 30


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, int, int]] = []
        self.drops: list[tuple[str, str]] = []
        self.waits: list[str] = []

    def batch(self, model: str, tiles: int, pixels: int, seconds: float) -> None:
        assert seconds >= 0
        self.batches.append((model, tiles, pixels))

    def waited(self, model: str, seconds: float) -> None:
        assert seconds >= 0
        self.waits.append(model)

    def dropped(self, model: str, reason: str) -> None:
        self.drops.append((model, reason))


class Gated:
    """A real network whose batches wait for the gate of their line, and can be made to fail."""

    def __init__(
        self,
        fault: Callable[[Pixels], None] = lambda batch: None,
        denoiser: Denoiser | None = None,
        lines: int = 1,
    ) -> None:
        network = architectures.AutoEncoder((4, 3, 4, 3)).build(Generator().manual_seed(0))
        self.denoiser, self.fault = denoiser or Denoiser(network, "cpu"), fault
        self.geometry, self.throughput = self.denoiser.geometry, Throughput(64, 4 * 32**2, 1e-6)
        self.lines = lines
        self.gates, self.entered = [asyncio.Event() for _ in range(2 * lines)], asyncio.Event()
        self.runs: list[tuple[int, int, Cores]] = []
        self.exact: list[bool] = []

    def open(self) -> None:
        """All gates."""
        for gate in self.gates:
            gate.set()

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool) -> Pixels:
        self.entered.set()
        await wait_for(self.gates[line].wait(), SECONDS)
        self.runs.append((line, len(batch), cores))
        self.exact.append(exact)
        self.fault(batch)
        return self.denoiser.run(torch.from_numpy(batch)).numpy()


def opened(fault: Callable[[Pixels], None] = lambda batch: None, lines: int = 1) -> Gated:
    denoiser = Gated(fault, lines=lines)
    denoiser.open()
    return denoiser


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def scheduler(recorder: Recorder) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(1, max_pixels=10**9, observer=recorder)
    yield scheduler
    await wait_for(scheduler.close(), SECONDS)


def picture(height: int = 32, width: int = 32, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).random((3, height, width), np.float32)


def whole(denoiser: Denoiser, image: Pixels) -> Pixels:
    """What the library makes of it."""
    return denoiser(torch.from_numpy(image[None]))[0].numpy()


def submit(
    scheduler: Scheduler, model: str, denoisers: list[Gated], image: Pixels, timeout: float | None = None
) -> TileJob:
    """One picture."""
    (job,) = scheduler.submit_all(model, denoisers, [image], timeout)
    return job


async def done(job: TileJob) -> Pixels:
    return await wait_for(job.result, SECONDS)


async def occupied(scheduler: Scheduler, denoiser: Gated) -> TileJob:
    """A job that holds the lane of small requests until the gate opens."""
    job = submit(scheduler, "first", [denoiser], picture())
    await wait_for(denoiser.entered.wait(), SECONDS)
    return job


@pytest.mark.parametrize("model", sorted(weights.read_index()))
@pytest.mark.parametrize("size", [(32, 32), (1, 1), (37, 150), (200, 131), (300, 300)])
async def test_the_result_is_the_models_own(model: str, size: tuple[int, int], scheduler: Scheduler) -> None:
    own, image = Denoiser.load(weights.find(model).path, "cpu"), picture(*size)
    denoiser = Gated(denoiser=own)
    denoiser.throughput.window = max(64, 3 * own.geometry.halo)  # else nearly all of a tile would be context
    denoiser.open()
    output = await done(submit(scheduler, model, [denoiser], image))
    difference = output[:, : size[0], : size[1]] - whole(own, image)
    assert abs(difference).max() < 1e-5
    assert scheduler.pixels == 0


async def test_what_waits_is_run_together(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    first = await occupied(scheduler, denoiser)
    images = [picture(seed=seed) for seed in range(6)]
    jobs = [submit(scheduler, "a", [denoiser], image) for image in images]
    denoiser.open()
    for image, job in zip([picture(), *images], [first, *jobs], strict=True):
        assert abs(await done(job) - whole(denoiser.denoiser, image)).max() < 1e-6
    assert [tiles for _, tiles, _ in recorder.batches] == [1, 4, 2]  # at most sweet_pixels
    assert len(recorder.waits) == 7


async def test_what_comes_in_one_turn_of_the_loop_is_run_together(
    scheduler: Scheduler, recorder: Recorder
) -> None:
    denoiser = opened()
    jobs = [submit(scheduler, "a", [denoiser], picture(seed=seed)) for seed in range(3)]
    for job in jobs:
        await done(job)
    later = submit(scheduler, "a", [denoiser], picture())
    await done(later)
    assert recorder.batches == [("a", 3, 3072), ("a", 1, 1024)]


async def test_only_the_like_are_run_together(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser, other = Gated(), opened()
    await occupied(scheduler, denoiser)
    jobs = [
        submit(scheduler, "a", [denoiser], picture()),
        submit(scheduler, "b", [other], picture()),
        submit(scheduler, "a", [denoiser], picture(24, 32)),
        submit(scheduler, "a", [denoiser], picture()),
        *scheduler.submit_all("a", [denoiser], [picture()] * 3, None, exact=True),
    ]
    denoiser.open()
    for job in jobs:
        await done(job)
    assert sorted(recorder.batches[1:]) == [("a", 1, 24 * 32), ("a", 2, 2048), ("a", 3, 3072), ("b", 1, 1024)]
    assert {(count, exact) for (_, count, _), exact in zip(denoiser.runs, denoiser.exact, strict=True)} == {
        (1, False), (2, False), (3, True),
    }  # fmt: skip


async def test_a_small_request_waits_for_no_tile_of_a_large_one(scheduler: Scheduler) -> None:
    denoiser = Gated()
    large = submit(scheduler, "a", [denoiser], picture(256, 256))
    await wait_for(denoiser.entered.wait(), SECONDS)
    denoiser.gates[BRIEF].set()
    small = submit(scheduler, "a", [denoiser], picture(24, 24))
    assert (await done(small)).shape == (3, 24, 24)
    assert [lane for lane, _, _ in denoiser.runs] == [BRIEF]
    assert not large.result.done()
    denoiser.open()
    assert (await done(large)).shape == (3, 256, 256)
    assert {lane for lane, _, _ in denoiser.runs[1:]} == {LONG}


@pytest.mark.parametrize("factor", [0.99, 1.01])
async def test_the_work_decides_the_lane(factor: float, scheduler: Scheduler) -> None:
    denoiser = opened()
    denoiser.throughput.seconds_per_pixel = factor * BRIEF_SECONDS / 32**2
    await done(submit(scheduler, "a", [denoiser], picture()))
    assert denoiser.runs[0][0] == (BRIEF if factor < 1 else LONG)


@pytest.mark.parametrize("factor", [0.99, 1.01])
async def test_cheap_tiles_leave_a_core_free(factor: float, scheduler: Scheduler) -> None:
    denoiser = opened()
    denoiser.throughput.seconds_per_pixel = factor * SERIAL_SECONDS / 32**2
    jobs = [submit(scheduler, "a", [denoiser], picture()) for _ in range(2)]
    for job in jobs:
        await done(job)
    assert denoiser.runs == [(BRIEF, 2, "all" if factor > 1 else "spare")]


@pytest.mark.parametrize(
    ("factor", "runs"),
    [(0.99, [(BRIEF, 2, "spare")]), (1.01, [(BRIEF, 1, "share"), (BRIEF + 2, 1, "share")])],
)
async def test_cheap_tiles_are_not_spread(factor: float, runs: object, scheduler: Scheduler) -> None:
    denoiser = opened(lines=2)
    denoiser.throughput.seconds_per_pixel = factor * SERIAL_SECONDS / 32**2
    jobs = [submit(scheduler, "a", [denoiser], picture()) for _ in range(2)]
    for job in jobs:
        await done(job)
    assert denoiser.runs == runs


async def test_a_tile_that_is_alone_has_all_cores(scheduler: Scheduler) -> None:
    denoiser = opened(lines=2)
    denoiser.throughput.seconds_per_pixel = 1e-4
    for _ in range(2):
        await done(submit(scheduler, "a", [denoiser], picture()))
    assert [(count, cores) for _, count, cores in denoiser.runs] == [(1, "all")] * 2


async def test_tiles_that_wait_together_share_the_cores(scheduler: Scheduler) -> None:
    denoiser = Gated(lines=2)
    denoiser.throughput.seconds_per_pixel = 1e-4
    images = [picture(seed=seed) for seed in range(3)]
    jobs = [submit(scheduler, "a", [denoiser], image) for image in images]
    await wait_for(denoiser.entered.wait(), SECONDS)
    denoiser.gates[LONG + 2].set()  # they do not wait for each other
    await done(jobs[2])
    assert denoiser.runs == [(LONG + 2, 1, "share")]
    later = submit(scheduler, "a", [denoiser], picture())
    await done(later)
    assert denoiser.runs[1:] == [(LONG + 2, 1, "share")]
    denoiser.open()
    for job, image in zip(jobs, images, strict=True):
        np.testing.assert_allclose(await done(job), whole(denoiser.denoiser, image), atol=1e-6)
    assert denoiser.runs[2:] == [(LONG, 2, "share")]


async def test_one_large_picture_is_run_by_all_lines(scheduler: Scheduler) -> None:
    denoiser, image = opened(lines=3), picture(200, 200)
    denoiser.throughput.seconds_per_pixel = 1e-5
    output = await done(submit(scheduler, "a", [denoiser], image))
    np.testing.assert_allclose(output, whole(denoiser.denoiser, image), atol=1e-6)
    assert {line for line, _, _ in denoiser.runs} == {LONG, LONG + 2, LONG + 4}
    assert {cores for _, _, cores in denoiser.runs[:-1]} == {"share"}


async def test_a_failure_on_one_line_leaves_the_others_alone(scheduler: Scheduler) -> None:
    def fail(batch: Pixels) -> None:
        if batch.max() > 1:
            raise ValueError("too bright")

    denoiser = opened(fail, lines=2)
    denoiser.throughput.seconds_per_pixel = 1e-4
    bright, good = (submit(scheduler, "a", [denoiser], scale * picture(200, 200)) for scale in (9, 1))
    with pytest.raises(ValueError, match="too bright"):
        await done(bright)
    np.testing.assert_allclose(await done(good), whole(denoiser.denoiser, picture(200, 200)), atol=1e-6)


@pytest.mark.parametrize(("large", "small"), [(256, 128), (60, 24)])  # in the lane of each
async def test_a_smaller_picture_overtakes_a_larger_one(large: int, small: int, scheduler: Scheduler) -> None:
    denoiser, finished = Gated(), []
    held = submit(scheduler, "a", [denoiser], picture(large, large))
    await wait_for(denoiser.entered.wait(), SECONDS)
    jobs = {"large": submit(scheduler, "a", [denoiser], picture(large, large))}
    jobs["small"] = submit(scheduler, "a", [denoiser], picture(small, small))
    for name, job in jobs.items():
        job.result.add_done_callback(lambda _, name=name: finished.append(name))  # type: ignore[misc]
    denoiser.open()
    for job in (held, *jobs.values()):
        await done(job)
    assert len({lane for lane, _, _ in denoiser.runs}) == 1
    assert finished == ["small", "large"]


async def test_a_large_picture_is_cut_as_its_throughput_tells(scheduler: Scheduler) -> None:
    denoiser = opened()
    job = submit(scheduler, "a", [denoiser], picture(256, 256))
    assert job.shape == (70, 70)  # about 64, in as few tiles as can be
    denoiser.throughput.window = 32
    fine = submit(scheduler, "a", [denoiser], picture(256, 256))
    assert fine.shape == (33, 33)
    assert abs(await done(job) - await done(fine)).max() < 1e-6


async def test_waiting_raises_the_priority() -> None:
    denoiser = Gated()
    denoiser.throughput.seconds_per_pixel = 1e-3
    cover = list(tiling.tiles(32, 32, denoiser.geometry, 32))
    old, new = (TileJob("a", denoiser, picture(), cover, None, arrived=arrived) for arrived in (0.0, 100.0))
    assert old.priority(100) == pytest.approx(new.priority(100) - 100 * AGEING)
    assert new.priority(100) == pytest.approx(1.024)


async def test_who_has_waited_long_goes_first(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    await occupied(scheduler, denoiser)
    old = submit(scheduler, "old", [denoiser], picture(60, 60))
    old.arrived -= 1  # as if a second ago
    new = submit(scheduler, "new", [denoiser], picture(24, 24))
    denoiser.open()
    for job in (old, new):
        await done(job)
    assert [model for model, _, _ in recorder.batches] == ["first", "old", "new"]


async def test_a_cancelled_request_loses_its_tiles(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    first = submit(scheduler, "first", [denoiser], picture(100, 100))
    await wait_for(denoiser.entered.wait(), SECONDS)
    large = submit(scheduler, "large", [denoiser], picture(320, 320))
    other = submit(scheduler, "other", [denoiser], picture(90, 90))
    assert large.result.cancel()
    denoiser.open()
    assert (await done(first)).shape == (3, 100, 100)
    assert (await done(other)).shape == (3, 90, 90)
    assert recorder.drops == [("large", "cancelled")]
    assert "large" not in {model for model, _, _ in recorder.batches}
    assert scheduler.pixels == 0


async def test_a_request_whose_time_is_over_is_dropped(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    denoiser.throughput.seconds_per_pixel = 0.0
    await occupied(scheduler, denoiser)
    job = submit(scheduler, "late", [denoiser], picture(), timeout=0.01)
    await asyncio.sleep(0.02)
    denoiser.open()
    with pytest.raises(DeadlineError):
        await done(job)
    assert recorder.drops == [("late", "deadline")]
    assert scheduler.pixels == 0


async def test_a_result_that_would_be_late_is_refused_at_once(scheduler: Scheduler) -> None:
    denoiser = opened()
    denoiser.throughput.seconds_per_pixel = 1.0
    with pytest.raises(RefusedError, match=r"would take 1024.0 s, expected at most 2 s") as caught:
        submit(scheduler, "a", [denoiser], picture(), timeout=2)
    assert caught.value.reason == "too_late"
    assert caught.value.retry_after == pytest.approx(1022)
    assert scheduler.pixels == 0


async def test_beyond_the_bound_work_is_refused_at_once() -> None:
    scheduler, denoiser = Scheduler(1, max_pixels=2048, observer=Recorder()), Gated()
    await occupied(scheduler, denoiser)
    jobs = [submit(scheduler, "a", [denoiser], picture()) for _ in range(2)]
    with pytest.raises(RefusedError, match="2048 pixels are waiting, expected at most 2048") as caught:
        submit(scheduler, "a", [denoiser], picture())
    assert caught.value.reason == "overloaded"
    assert caught.value.retry_after >= 1
    with pytest.raises(RefusedError, match="2048 pixels are waiting, expected fewer than 2048"):
        scheduler.check_room()
    denoiser.open()
    for job in jobs:
        await done(job)
    scheduler.check_room()
    assert (await done(submit(scheduler, "a", [denoiser], picture(80, 80)))).shape == (3, 80, 80)
    await scheduler.close()


def poisoned(batch: Pixels) -> None:
    if (batch > 2).any():
        raise RuntimeError("poison")


async def test_an_error_concerns_its_request_alone(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated(poisoned)
    await occupied(scheduler, denoiser)
    good = [submit(scheduler, "good", [denoiser], picture(seed=seed)) for seed in range(3)]
    bad = submit(scheduler, "bad", [denoiser], picture(70, 70) + 5)
    bad_small = submit(scheduler, "bad", [denoiser], picture() + 5)
    denoiser.open()
    assert all([np.isfinite(await done(job)).all() for job in good])
    for job in (bad, bad_small):
        with pytest.raises(RuntimeError, match="poison"):
            await done(job)
    assert (await done(submit(scheduler, "good", [denoiser], picture()))).shape == (3, 32, 32)
    assert recorder.drops == [("bad", "failed")] * 2
    assert scheduler.pixels == 0


async def test_without_memory_batches_are_halved(scheduler: Scheduler, recorder: Recorder) -> None:
    sizes = []

    def scarce(batch: Pixels) -> None:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise MemoryError("no memory")

    denoiser = Gated(scarce)
    await occupied(scheduler, denoiser)
    jobs = [submit(scheduler, "a", [denoiser], picture(seed=seed)) for seed in range(4)]
    denoiser.open()
    assert all([(await done(job)).shape == (3, 32, 32) for job in jobs])
    assert sizes == [1, 4, 2, 1, 1, 2, 1, 1]
    assert recorder.drops == []


async def test_without_memory_for_a_tile_the_client_may_try_again(scheduler: Scheduler) -> None:
    def full(batch: Pixels) -> None:
        raise MemoryError("2 GiB")

    with pytest.raises(RefusedError, match=r"not enough memory for a tile: 2 GiB") as caught:
        await done(submit(scheduler, "m", [opened(full)], picture()))
    assert caught.value.reason == "unavailable"


async def test_a_batch_that_its_device_does_not_survive_is_not_tried_tile_by_tile(
    scheduler: Scheduler, recorder: Recorder
) -> None:
    def deadly(batch: Pixels) -> None:
        raise ChildDiedError("the process of device cpu ended")

    denoiser = opened(deadly)
    jobs = [submit(scheduler, "m", [denoiser], picture(seed=seed)) for seed in range(3)]
    for job in jobs:
        with pytest.raises(ChildDiedError):
            await done(job)
    assert len(denoiser.runs) == 1
    assert recorder.drops == [("m", "failed")] * 3


async def test_several_devices_share_the_work(recorder: Recorder) -> None:
    scheduler, pair = Scheduler(2, 10**9, recorder), [Gated(), Gated()]
    jobs = [submit(scheduler, "a", pair, picture(seed=seed)) for seed in range(8)]
    for denoiser in pair:
        await wait_for(denoiser.entered.wait(), SECONDS)
    for denoiser in pair:
        denoiser.open()
    for job in jobs:
        assert (await done(job)).shape == (3, 32, 32)
    assert [sum(job.denoiser is denoiser for job in jobs) for denoiser in pair] == [4, 4]
    await scheduler.close()


async def test_draining_finishes_what_was_taken_on_and_takes_no_more(scheduler: Scheduler) -> None:
    denoiser = Gated()
    first = await occupied(scheduler, denoiser)
    second = submit(scheduler, "a", [denoiser], picture(100, 100))
    scheduler.drain()
    with pytest.raises(RefusedError, match="the service is stopping") as caught:
        scheduler.check_room()
    assert caught.value.reason == "stopping"
    third = submit(scheduler, "a", [denoiser], picture())  # of a request that was admitted before
    closing = asyncio.ensure_future(scheduler.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    with pytest.raises(RefusedError, match="the service is stopping"):
        submit(scheduler, "a", [denoiser], picture())
    denoiser.open()
    await wait_for(closing, SECONDS)
    assert all(job.result.done() for job in (first, second, third))


async def test_an_idle_device_has_no_task(scheduler: Scheduler) -> None:
    denoiser = opened()
    before = asyncio.all_tasks()
    jobs = [submit(scheduler, "a", [denoiser], picture(side, side)) for side in (24, 200)]
    lanes = scheduler.devices[0].lanes
    assert all(lane.work for lane in lanes)
    for job in jobs:
        await done(job)
    await asyncio.sleep(0)
    assert [lane.work for lane in lanes] == [{}, {}]
    assert asyncio.all_tasks() == before


async def test_full_batches_teach_the_throughput(scheduler: Scheduler) -> None:
    denoiser = opened()
    denoiser.throughput.seconds_per_pixel = 0.0
    await done(submit(scheduler, "a", [denoiser], picture()))  # a quarter of sweet_pixels: too few to tell
    assert denoiser.throughput.seconds_per_pixel == 0
    await done(submit(scheduler, "a", [denoiser], picture(60, 60)))
    assert denoiser.throughput.seconds_per_pixel > 0


def test_calibration_finds_out_how_much_to_run_at_once() -> None:
    denoiser = Denoiser(architectures.AutoEncoder((4, 3, 4, 3)).build(), "cpu")
    denoiser.calibrate()
    throughput = denoiser.throughput
    assert throughput.sweet_pixels in {n * 1024 for n in (4, 8, 16, 32)}
    assert throughput.window in {96, 128, 192, 256}
    before = throughput.seconds_per_pixel
    assert before > 0
    throughput.learn(1000, 2 * before * 1000)
    assert before < throughput.seconds_per_pixel < 1.2 * before
