"""Graphs by bucket: which there are, for how long, and what they give."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from n2n_core.inference.cuda_graphs import GRAPH_PIXELS, Act, Graphs, Recent, Recorder, Static, bucket
from n2n_core.models import weights
from n2n_core.models.architectures import StridedAutoEncoder

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Counting:
    """In a CUDA recorder's place: what it records is run as it is; it counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.records, self.replays, self.error = 0, 0, error

    def __call__(self, act: Act) -> Act:
        if self.error:
            raise self.error
        self.records += 1

        def play() -> None:
            self.replays += 1
            act()

        return play


class Shapes(nn.Module):
    """Adds 1, and keeps the shapes of what it got."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Sequence[int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.got.append(tuple(x.shape))
        return x + 1


def images(count: int, height: int = 8, width: int = 12, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_a_bucket_is_the_next_power_of_two() -> None:
    for count in range(1, 300):
        assert bucket(count) // 2 < count <= bucket(count)
        assert bucket(count).bit_count() == 1


def test_the_value_used_longest_ago_makes_room() -> None:
    recent = Recent[str, int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
    recent.put("a", 4)
    assert (len(recent), recent.get("a")) == (2, 4)
    recent.put("d", 5)
    assert recent.get("c") is None
    recent.clear()
    assert len(recent) == 0


def test_a_static_network_is_its_network_on_a_part_of_the_bucket() -> None:
    static = Static(nn.Identity(), (4, 3, 8, 12), torch.float32, CPU)
    full, part = images(4), images(3, seed=1)
    first, second = static(full), static(part)
    assert first.equal(full)  # not overwritten by the second
    assert second.equal(part)


def test_a_shape_is_recorded_when_it_comes_again() -> None:
    network, counting = Shapes(), Counting()
    graphs = Graphs(network, torch.float32, CPU, counting)
    for count, records, replays in [(3, 0, 0), (4, 1, 1), (3, 1, 2), (1, 1, 2), (1, 2, 3), (4, 2, 4)]:
        batch = images(count, seed=count)
        assert graphs(batch).equal(batch + 1)
        assert (counting.records, counting.replays) == (records, replays)
    assert network.got == [(n, 3, 8, 12) for n in (3, 4, 4, 1, 1, 4)]  # unpadded where there is no graph


def test_tiles_of_other_sizes_have_graphs_of_their_own() -> None:
    counting = Counting()
    graphs = Graphs(Shapes(), torch.float32, CPU, counting)
    for _ in range(3):
        for size in [(8, 12), (12, 8)]:
            assert graphs(images(2, *size)).equal(images(2, *size) + 1)
    assert (counting.records, counting.replays) == (2, 4)


def test_graphs_are_bounded_and_shapes_that_come_once_drive_out_none() -> None:
    counting = Counting()
    graphs = Graphs(Shapes(), torch.float32, CPU, counting, size=2)
    for width in (8, 8, 9, 9, *range(20, 40), 8, 9):
        graphs(images(1, 8, width))
    assert counting.records == 2
    for width in (10, 10, 9, 8):  # 10 drives out 8, which is then recorded anew
        graphs(images(1, 8, width))
    assert counting.records == 4
    assert len(graphs._kept) == 2


def test_large_batches_are_run_without() -> None:
    counting, network = Counting(), Shapes()
    graphs = Graphs(network, torch.float32, CPU, counting)
    side = 2**9
    for count in (GRAPH_PIXELS // side**2, GRAPH_PIXELS // side**2 + 1):
        for _ in range(3):
            graphs(images(1, side, side).expand(count, -1, -1, -1))
    assert counting.records == 1


def test_where_recording_fails_the_network_goes_on_without(caplog: pytest.LogCaptureFixture) -> None:
    graphs = Graphs(Shapes(), torch.float32, CPU, Counting(RuntimeError("capture is not permitted")))
    for _ in range(4):
        for count in (1, 2):
            assert graphs(images(count)).equal(images(count) + 1)
    assert [(record.name, record.levelname) for record in caplog.records] == [("n2n.cuda", "WARNING")]
    assert "capture is not permitted" in caplog.text


def test_other_errors_are_not_hidden() -> None:
    graphs = Graphs(Shapes(), torch.float32, CPU, Counting(ValueError("ours")))
    graphs(images(1))
    with pytest.raises(ValueError, match="ours"):
        graphs(images(1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_results_are_contiguous_and_of_the_networks_type(dtype: torch.dtype) -> None:
    network = StridedAutoEncoder(hidden=4).build(engine="torch").eval().to(dtype)
    graphs = Graphs(network, dtype, CPU, Counting())
    with torch.no_grad():
        results = [graphs(images(3)) for _ in range(3)]
    assert results[1].equal(results[2])
    torch.testing.assert_close(results[0], results[1])
    assert all(result.is_contiguous() and result.dtype == dtype for result in results)


@needs_cuda
@pytest.mark.parametrize("name", sorted(weights.read_index()))
def test_a_recorded_network_gives_what_it_gives_without(name: str) -> None:
    device = torch.device("cuda")
    network, _, _ = weights.load(weights.find(name).path)
    graphs = Graphs(network.to(device), torch.float32, device, Recorder(device), size=2)
    with torch.no_grad():
        for count, side in [(3, 32), (3, 32), (4, 32), (1, 48), (1, 48), (2, 64), (2, 64), (3, 32), (3, 32)]:
            batch = images(count, side, side, seed=count).to(device)
            torch.testing.assert_close(graphs(batch), network(batch), atol=1e-3, rtol=0)
    assert graphs.enabled
    assert len(graphs._kept) == 2


class Waits(nn.Module):
    """Asks the device for a value, which a graph cannot hold."""

    def forward(self, x: Tensor) -> Tensor:
        return x + float(x.max()) * 0


@needs_cuda
def test_a_network_that_cannot_be_recorded_runs_on_cuda(caplog: pytest.LogCaptureFixture) -> None:
    device = torch.device("cuda")
    graphs = Graphs(Waits(), torch.float32, device, Recorder(device))
    for _ in range(3):
        assert graphs(images(2).to(device)).cpu().equal(images(2))
    assert not graphs.enabled
    assert len(caplog.records) == 1
