"""The code path for CUDA: its arithmetic and order on the CPU, its results if there is a device."""

import threading

import pytest
import torch
from torch import Tensor

from n2n_core.inference import cuda
from n2n_core.inference.cuda import CHUNK_PIXELS, CudaPath, Pinned, batch_pixels, chunks
from n2n_core.inference.cuda_graphs import Act
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import BATCH_PIXELS, WINDOW, geometry
from n2n_core.models import weights
from n2n_core.models.inference_form import rewritten
from tests.pictures import photo

MODELS = sorted(weights.read_index())
EACH = pytest.mark.parametrize("name", MODELS)
CPU = torch.device("cpu")
HALF_LEVEL = 0.5 / 255
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def same(act: Act) -> Act:
    return act


def path_of(name: str) -> CudaPath:
    """A model's path, in order, on the CPU."""
    network = rewritten(weights.load(weights.find(name).path)[0])
    return CudaPath(network, geometry(network), CPU, same)


def crops(count: int, height: int = 32, width: int = 40) -> Tensor:
    """``(N, 3, H, W)`` parts of a photo."""
    return torch.stack([photo()[:, 8 * i : 8 * i + height, 4 * i : 4 * i + width] for i in range(count)])


@pytest.mark.parametrize("count", [0, 1, 2, 5, 16, 100])
@pytest.mark.parametrize("tile", [32**2, 500 * 300, CHUNK_PIXELS, CHUNK_PIXELS + 1])
def test_chunks_cover_the_batch_in_order(count: int, tile: int) -> None:
    parts = chunks(count, tile)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    sizes = [part.stop - part.start for part in parts]
    assert all(size == 1 or size * tile <= CHUNK_PIXELS for size in sizes)
    assert all(size.bit_count() == 1 and 4 * size * tile > CHUNK_PIXELS for size in sizes[:-1])


def test_a_small_batch_is_one_chunk() -> None:
    assert chunks(64, 32**2) == [slice(0, 64)]
    assert chunks(7, CHUNK_PIXELS // 4) == [slice(0, 4), slice(4, 7)]


def test_a_batch_follows_the_devices_memory_within_bounds() -> None:
    sizes = [batch_pixels(gigabytes * 2**30) for gigabytes in (0, 1, 4, 8, 24, 80, 192)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (cuda.FEWEST_PIXELS, cuda.MOST_PIXELS)
    assert len(set(sizes)) > 4
    assert cuda.FEWEST_PIXELS == BATCH_PIXELS


def test_pinned_memory_is_reused_and_grows() -> None:
    pinned = Pinned(torch.float16, pin=False)
    first = pinned.take(torch.Size((3, 3, 8, 8)))
    assert (first.shape, first.dtype) == ((3, 3, 8, 8), torch.float16)
    assert pinned.take(torch.Size((2, 3, 8, 4))).data_ptr() == first.data_ptr()
    assert pinned.take(torch.Size((9, 3, 8, 8))).shape == (9, 3, 8, 8)
    assert pinned.take(torch.Size((0, 3, 8, 8))).shape == (0, 3, 8, 8)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine where nothing can be pinned")
def test_memory_that_cannot_be_pinned_is_taken_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    pinned = Pinned(torch.float32, pin=True)
    for count in (1, 1000):
        assert pinned.take(torch.Size((count, 3, 2, 2))).shape == (count, 3, 2, 2)
    assert [record.name for record in caplog.records] == ["n2n.cuda"]


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        pytest.param(name, chunk, marks=() if name == "scratch" else pytest.mark.slow)
        for name in MODELS
        for chunk in (1, 3 * 32 * 40, CHUNK_PIXELS)
    ],
)
def test_the_path_gives_the_models_results(name: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "CHUNK_PIXELS", chunk)
    path, denoiser = path_of(name), Denoiser.load(weights.find(name).path, "cpu")
    assert path.dtype == torch.float16
    earlier = None
    for count in (5, 2, 5, 0, 5):
        batch = crops(count) if count else torch.empty(0, 3, 32, 40)
        result = path.run(batch)
        assert (result.dtype, result.shape, result.is_contiguous()) == (torch.float32, batch.shape, True)
        assert not count or (result - denoiser.run(batch)).abs().max() <= HALF_LEVEL
        if earlier is not None and count == 5:
            torch.testing.assert_close(result, earlier, atol=1e-3, rtol=0)
        if count == 5 and earlier is None:
            earlier, kept = result, result.clone()
    assert earlier is not None
    assert earlier.equal(kept)  # a result is the caller's own


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "scratch" else pytest.mark.slow) for name in MODELS]
)
def test_exact_results_are_the_models_own_between_others(name: str) -> None:
    path, denoiser = path_of(name), Denoiser.load(weights.find(name).path, "cpu")
    for count in (3, 2, 3):
        batch = crops(count)
        expected, quick = denoiser.run(batch), path.run(batch)
        for result in (path.run(batch, exact=True), path.forward(batch, exact=True)):
            assert result.dtype == torch.float32
            torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)
        assert (quick - expected).abs().max() > 1e-5
        assert path.run(batch).equal(quick)


@pytest.mark.slow
def test_forward_takes_floats_and_asks_for_no_gradient() -> None:
    path, batch = path_of("torch"), crops(3)
    with torch.set_grad_enabled(True):
        result = path.forward(batch.clone().requires_grad_())
    assert not result.requires_grad
    assert result.dtype == path.dtype
    assert (result.float() - path.run(batch)).abs().max() < 1e-3


def test_threads_do_not_mix_their_batches() -> None:
    path, batches = path_of("scratch"), [crops(4, 32, 32), crops(3, 32, 32).flip(3)]
    alone, wrong = [path.run(batch) for batch in batches], []

    def work(index: int) -> None:
        for _ in range(10):
            if (path.run(batches[index]) - alone[index]).abs().max() > 1e-3:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_on_the_cpu_a_denoiser_has_none_of_it() -> None:
    denoiser = Denoiser.load(weights.find("torch").path, "cpu")
    assert denoiser.cuda is None
    assert (denoiser.window, denoiser.batch_pixels) == (WINDOW, BATCH_PIXELS)
    denoiser = Denoiser(denoiser.network, "cpu", window=64, batch_pixels=5000)
    assert (denoiser.window, denoiser.batch_pixels) == (64, 5000)


@needs_cuda
@EACH
@pytest.mark.parametrize("engine", ["torch", "scratch"])
def test_tiles_on_cuda_are_within_half_a_grey_level(name: str, engine: str) -> None:
    file = weights.find(name).path
    on_gpu, on_cpu = (Denoiser.load(file, device, engine) for device in ("cuda", "cpu"))
    assert on_gpu.cuda
    assert on_gpu.cuda.dtype == torch.float16
    for count, height, width in [(1, 32, 32), (3, 32, 32), (4, 32, 32), (9, 40, 64), (2, 400, 480)] * 3:
        batch = crops(count, height, width)
        assert (on_gpu.run(batch) - on_cpu.run(batch)).abs().max() <= HALF_LEVEL
    assert on_gpu.cuda._quick.graphs.enabled


@needs_cuda
@EACH
def test_exact_pictures_on_cuda_have_the_cpus_16_bits(name: str) -> None:
    file, batch = weights.find(name).path, crops(3, 40, 64)
    on_gpu, on_cpu = (Denoiser.load(file, device) for device in ("cuda", "cpu"))
    allowed = torch.backends.cudnn.allow_tf32
    assert (on_gpu.run(batch, exact=True) - on_cpu.run(batch)).abs().max() < 0.5 / 65535
    assert (on_gpu(batch, exact=True).cpu() - on_cpu(batch)).abs().max() < 0.5 / 65535
    assert torch.backends.cudnn.allow_tf32 == allowed


@needs_cuda
@EACH
def test_pictures_on_cuda_are_within_half_a_grey_level(name: str) -> None:
    file, image = weights.find(name).path, photo()[None, :, :300, :421].repeat(2, 1, 1, 1)
    on_cpu = Denoiser.load(file, "cpu")(image)
    for window in (None, 128):
        on_gpu = Denoiser(weights.load(file)[0], "cuda", window)(image)
        assert (on_gpu.device.type, on_gpu.dtype) == ("cuda", torch.float32)
        assert (on_gpu.cpu() - on_cpu).abs().max() <= HALF_LEVEL


@needs_cuda
def test_sizes_on_cuda_are_larger() -> None:
    denoiser = Denoiser.load(weights.find("scratch").path, "cuda")
    assert denoiser.window == cuda.WINDOW > WINDOW
    assert BATCH_PIXELS <= denoiser.batch_pixels <= cuda.MOST_PIXELS
    denoiser.calibrate()
    assert denoiser.throughput.sweet_pixels in {count * 32**2 for count in cuda.COUNTS}
