"""The scheduler of tiles: results, order, batches, faults."""

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core import networks, tiling, weights
from n2n_core.inference import Denoiser
from service.batching import DeadlineError, RefusedError, Scheduler, is_out_of_memory
from service.tile_job import AGEING, Job

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


class Gated(Denoiser):
    """A real network whose batches wait for a gate, and can be made to fail."""

    def __init__(self, fault: Callable[[Tensor], None] = lambda batch: None) -> None:
        super().__init__(networks.AutoEncoder((4, 3, 4, 3)).build(Generator().manual_seed(0)), "cpu")
        self.gate, self.entered, self.fault = threading.Event(), threading.Event(), fault
        self.sweet_pixels, self.interactive_window, self.window = 4 * 32**2, 32, 64

    def run(self, batch: Tensor) -> Tensor:
        self.entered.set()
        assert self.gate.wait(SECONDS)
        self.fault(batch)
        return super().run(batch)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def scheduler(recorder: Recorder) -> Iterator[Scheduler]:
    scheduler = Scheduler(["cpu"], max_pixels=10**9, observer=recorder)
    yield scheduler
    scheduler.close()


def picture(height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=Generator().manual_seed(seed))


def occupied(scheduler: Scheduler, denoiser: Gated) -> Job:
    """A job that holds the device until the gate opens."""
    job = scheduler.submit("first", [denoiser], picture())
    assert denoiser.entered.wait(SECONDS)
    return job


@pytest.mark.parametrize("model", sorted(weights.read_index()))
@pytest.mark.parametrize("size", [(32, 32), (1, 1), (37, 150), (200, 131), (300, 300)])
def test_the_result_is_the_models_own(model: str, size: tuple[int, int], scheduler: Scheduler) -> None:
    denoiser, image = Denoiser.load(weights.find(model).path, "cpu"), picture(*size)
    output = scheduler.submit(model, [denoiser], image).result.result(SECONDS)
    difference = output[:, : size[0], : size[1]] - denoiser(image[None])[0]
    assert difference.abs().max() < 1e-5
    assert scheduler.pixels == 0


def test_what_waits_is_run_together(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    first = occupied(scheduler, denoiser)
    images = [picture(seed=seed) for seed in range(6)]
    jobs = [scheduler.submit("a", [denoiser], image) for image in images]
    denoiser.gate.set()
    for image, job in zip([picture(), *images], [first, *jobs], strict=True):
        expected = Denoiser(denoiser.network, "cpu")(image[None])[0]
        assert (job.result.result(SECONDS) - expected).abs().max() < 1e-6
    assert [tiles for _, tiles, _ in recorder.batches] == [1, 4, 2]  # at most sweet_pixels
    assert len(recorder.waits) == 7


def test_only_the_like_are_run_together(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser, other = Gated(), Gated()
    other.gate.set()
    occupied(scheduler, denoiser)
    jobs = [
        scheduler.submit("a", [denoiser], picture()),
        scheduler.submit("b", [other], picture()),
        scheduler.submit("a", [denoiser], picture(24, 32)),
        scheduler.submit("a", [denoiser], picture()),
    ]
    denoiser.gate.set()
    for job in jobs:
        job.result.result(SECONDS)
    assert sorted(recorder.batches[1:]) == [("a", 1, 24 * 32), ("a", 2, 2048), ("b", 1, 1024)]


def test_a_small_picture_overtakes_a_large_one(scheduler: Scheduler) -> None:
    denoiser, finished = Gated(), []
    occupied(scheduler, denoiser)
    jobs = {"large": scheduler.submit("a", [denoiser], picture(256, 256))}
    jobs["small"] = scheduler.submit("a", [denoiser], picture(24, 24))
    for name, job in jobs.items():
        job.result.add_done_callback(lambda _, name=name: finished.append(name))  # type: ignore[misc]
    denoiser.gate.set()
    for job in jobs.values():
        job.result.result(SECONDS)
    assert finished == ["small", "large"]


def test_a_large_picture_is_cut_small_while_small_ones_come(scheduler: Scheduler) -> None:
    denoiser = Gated()
    denoiser.gate.set()
    alone = scheduler.submit("a", [denoiser], picture(256, 256))
    scheduler.submit("a", [denoiser], picture(32, 32))
    mixed = scheduler.submit("a", [denoiser], picture(256, 256))
    assert alone.shape == (70, 70)  # about 64, in as few tiles as can be
    assert mixed.shape == (33, 33)
    assert (alone.result.result(SECONDS) - mixed.result.result(SECONDS)).abs().max() < 1e-6


def test_waiting_earns_urgency() -> None:
    denoiser = Gated()
    denoiser.seconds_per_pixel = 1e-3
    cover = list(tiling.tiles(32, 32, denoiser.geometry, 32))
    old, new = (Job("a", denoiser, picture(), cover, None, arrived=arrived) for arrived in (0.0, 100.0))
    assert old.urgency(100) == pytest.approx(new.urgency(100) - 100 * AGEING)
    assert new.urgency(100) == pytest.approx(1.024)


def test_a_cancelled_request_loses_its_tiles(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    first = occupied(scheduler, denoiser)
    large = scheduler.submit("large", [denoiser], picture(320, 320))
    small = scheduler.submit("small", [denoiser], picture(40, 40))
    assert large.result.cancel()
    denoiser.gate.set()
    assert first.result.result(SECONDS) is not None
    assert small.result.result(SECONDS) is not None
    assert recorder.drops == [("large", "cancelled")]
    assert "large" not in {model for model, _, _ in recorder.batches}
    assert scheduler.pixels == 0


def test_a_request_whose_time_is_over_is_dropped(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated()
    denoiser.seconds_per_pixel = 0.0
    occupied(scheduler, denoiser)
    job = scheduler.submit("late", [denoiser], picture(), timeout=0.01)
    while monotonic() < job.arrived + 0.02:
        pass
    denoiser.gate.set()
    with pytest.raises(DeadlineError):
        job.result.result(SECONDS)
    assert recorder.drops == [("late", "deadline")]


def test_a_result_that_would_be_late_is_refused_at_once(scheduler: Scheduler) -> None:
    denoiser = Gated()
    denoiser.gate.set()
    denoiser.seconds_per_pixel = 1.0
    with pytest.raises(RefusedError, match=r"would take 1024.0 s, expected at most 2 s") as caught:
        scheduler.submit("a", [denoiser], picture(), timeout=2)
    assert caught.value.reason == "too_late"
    assert scheduler.pixels == 0


def test_beyond_the_bound_work_is_refused_at_once() -> None:
    scheduler, denoiser = Scheduler(["cpu"], max_pixels=2048), Gated()
    occupied(scheduler, denoiser)
    jobs = [scheduler.submit("a", [denoiser], picture()) for _ in range(2)]
    with pytest.raises(RefusedError, match="2048 pixels wait, expected at most 2048") as caught:
        scheduler.submit("a", [denoiser], picture())
    assert caught.value.reason == "overloaded"
    assert caught.value.retry_after >= 1
    denoiser.gate.set()
    for job in jobs:
        job.result.result(SECONDS)
    assert scheduler.submit("a", [denoiser], picture(80, 80)).result.result(SECONDS).shape == (3, 80, 80)
    scheduler.close()


def poisoned(batch: Tensor) -> None:
    if (batch > 2).any():
        raise RuntimeError("poison")


def test_an_error_concerns_its_request_alone(scheduler: Scheduler, recorder: Recorder) -> None:
    denoiser = Gated(poisoned)
    occupied(scheduler, denoiser)
    good = [scheduler.submit("good", [denoiser], picture(seed=seed)) for seed in range(3)]
    bad = scheduler.submit("bad", [denoiser], picture(70, 70) + 5)
    bad_small = scheduler.submit("bad", [denoiser], picture() + 5)
    denoiser.gate.set()
    assert all(job.result.result(SECONDS).isfinite().all() for job in good)
    for job in (bad, bad_small):
        with pytest.raises(RuntimeError, match="poison"):
            job.result.result(SECONDS)
    assert scheduler.submit("good", [denoiser], picture()).result.result(SECONDS) is not None
    assert recorder.drops == [("bad", "failed")] * 2
    assert scheduler.pixels == 0


def test_without_memory_batches_are_halved(scheduler: Scheduler, recorder: Recorder) -> None:
    sizes = []

    def scarce(batch: Tensor) -> None:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("no memory")

    denoiser = Gated(scarce)
    occupied(scheduler, denoiser)
    jobs = [scheduler.submit("a", [denoiser], picture(seed=seed)) for seed in range(4)]
    denoiser.gate.set()
    assert all(job.result.result(SECONDS).shape == (3, 32, 32) for job in jobs)
    assert sizes == [1, 4, 2, 1, 1, 2, 1, 1]
    assert recorder.drops == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError(), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_faults(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_several_devices_share_the_work(recorder: Recorder) -> None:
    scheduler, pair = Scheduler(["cpu:0", "cpu:1"], 10**9, recorder), [Gated(), Gated()]
    jobs = [scheduler.submit("a", pair, picture(seed=seed)) for seed in range(8)]
    assert all(denoiser.entered.wait(SECONDS) for denoiser in pair)
    for denoiser in pair:
        denoiser.gate.set()
    for job in jobs:
        assert job.result.result(SECONDS).shape == (3, 32, 32)
    assert {job.denoiser for job in jobs} == set(pair)
    scheduler.close()


def test_draining_finishes_what_was_taken_on_and_takes_no_more(scheduler: Scheduler) -> None:
    denoiser = Gated()
    first = occupied(scheduler, denoiser)
    second = scheduler.submit("a", [denoiser], picture(100, 100))
    scheduler.drain()
    with pytest.raises(RefusedError, match="the service is stopping") as caught:
        scheduler.submit("a", [denoiser], picture())
    assert caught.value.reason == "stopping"
    denoiser.gate.set()
    scheduler.close()
    assert first.result.done()
    assert second.result.done()
    assert not any(device.thread.is_alive() for device in scheduler.devices)


def test_an_idle_device_sleeps(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(type(scheduler.devices[0]), "_form", lambda self: calls.append(self))
    threading.Event().wait(0.05)
    assert calls == []


def test_calibration_finds_out_how_much_to_run_at_once() -> None:
    denoiser = Denoiser(networks.AutoEncoder((4, 3, 4, 3)).build(), "cpu")
    denoiser.calibrate()
    assert denoiser.sweet_pixels in {n * 1024 for n in (4, 8, 16, 32)}
    assert denoiser.interactive_window in {128, 96, 64, 48}
    before = denoiser.seconds_per_pixel
    assert before > 0
    denoiser.learn(1000, 2 * before * 1000)
    assert before < denoiser.seconds_per_pixel < 1.2 * before
