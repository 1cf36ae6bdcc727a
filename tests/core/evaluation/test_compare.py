"""Methods side by side: figures, table, JSON."""

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.evaluation.baselines import BASELINES
from n2n_core.evaluation.batches import Batch
from n2n_core.evaluation.compare import NOISY, WARM_UP, Comparison, Outputs, compare
from n2n_core.evaluation.figures import Figures
from n2n_core.evaluation.methods import Method, classical, network
from n2n_core.evaluation.table import markdown
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.metrics.ssim import ssim
from n2n_core.models import weights
from tests.scenes import SIGMA, noisy, smooth

SAME = Method(lambda images, sigmas: images)
GREY = Method(lambda images, sigmas: torch.full_like(images, 0.5), parameters=1234, macs=5600.0)


def batch(count: int = 2, height: int = 16, width: int = 16, seed: int = 0) -> Batch:
    clean = smooth(count, height, width, seed)
    images = to_bytes(noisy(clean, 1, seed)[0]).float() / 255
    return Batch([f"{seed}-{i}" for i in range(count)], images, to_bytes(clean), [SIGMA] * count)


def test_figures_are_those_of_the_metrics() -> None:
    images, figures = batch(5), Figures()
    output = to_bytes(images.noisy)
    for part in (slice(0, 2), slice(2, 5)):
        figures.add(output[part], images.clean[part])
    expected = mean_psnr(output, images.clean)
    assert figures.psnr == pytest.approx(expected.per_image)
    assert figures.pooled == pytest.approx(expected.pooled)
    pairs = list(zip(output.numpy(), images.clean.numpy(), strict=True))
    assert figures.ssims == [ssim(*pair) for pair in pairs]
    assert figures.ssim == pytest.approx(sum(ssim(*pair) for pair in pairs) / 5)


def test_large_pictures_weigh_more_in_the_pooled_mean_alone() -> None:
    figures = Figures(errors=[1.0, 100.0], ssims=[None, 0.5], pixels=[900, 100], seconds=0.5)
    assert figures.pooled == pytest.approx(48.13 - 10.37, abs=0.01)  # 10 log10 of the mean error, 10.9
    assert figures.psnr == pytest.approx(48.13 - 10, abs=0.01)
    assert figures.ssim == 0.5
    assert figures.seconds_per_megapixel == 500


def test_every_method_sees_every_picture() -> None:
    seen: list[tuple[Batch, Outputs]] = []
    images = [batch(2), batch(1, 20, 12, seed=1)]
    found = compare({"same": SAME, "grey": GREY}, images, lambda *pair: seen.append(pair))
    assert found.names == ["0-0", "0-1", "1-0"]
    assert found.sigmas == [SIGMA] * 3
    assert list(found.figures) == [NOISY, "same", "grey"]
    assert found.figures["same"].errors == found.figures[NOISY].errors
    assert found.figures["grey"].pixels == [256, 256, 240]
    assert [one for one, _ in seen] == images
    assert torch.equal(seen[1][1]["grey"], torch.full((1, 3, 20, 12), 128, dtype=torch.uint8))


def test_methods_take_turns_after_a_small_warm_up() -> None:
    calls: list[tuple[str, tuple[int, ...], int]] = []

    def spy(name: str) -> Method:
        def run(images: Tensor, sigmas: Sequence[float]) -> Tensor:
            calls.append((name, tuple(images.shape), len(sigmas)))
            return images

        return Method(run)

    compare({"a": spy("a"), "b": spy("b")}, [batch(2, 80, 16), batch(1, 20, 12)])
    warm, first, second = ((1, 3, WARM_UP, 16), 1), ((2, 3, 80, 16), 2), ((1, 3, 20, 12), 1)
    assert calls == [(name, *call) for call in (warm, first, second) for name in ("a", "b")]


def test_a_network_is_measured_as_it_serves() -> None:
    images, path = batch(), weights.find("scratch").path
    method = network(path, "cpu")
    assert (method.parameters, method.macs) == (134_203, 28_000)
    expected = Denoiser.load(path, "cpu")(images.noisy)
    assert torch.equal(method.run(images.noisy, images.sigmas), expected)


def test_a_baseline_is_told_each_pictures_level() -> None:
    images = batch(2, 32, 32)
    output = classical(BASELINES["tv"]).run(images.noisy, [0.0, SIGMA])
    assert torch.equal(output[0], images.noisy[0])
    found = compare({"tv": classical(BASELINES["tv"])}, [images])
    assert found.figures["tv"].psnr > found.figures[NOISY].psnr + 4


@pytest.fixture
def found() -> Comparison:
    return compare({"same": SAME, "grey": GREY}, [batch()])


def test_the_table_is_aligned_markdown(found: Comparison) -> None:
    lines = markdown(found).splitlines()
    assert len({len(line) for line in lines}) == 1
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in rows[2:]] == ["noisy", "same", "grey"]
    assert all(set(cell) == {"-", ":"} or index == 0 for index, cell in enumerate(rows[1]))
    assert rows[2][4] == rows[2][6] == rows[2][8] == ""
    assert rows[3][3:8] == [rows[2][3], "+0.00", rows[2][5], "+0.00", rows[2][7]]
    assert rows[4][1:3] == ["1,234", "5.6"]
    gain = found.figures["grey"].psnr - found.figures[NOISY].psnr
    assert rows[4][4] == f"{gain:+.2f}"


def test_all_figures_go_into_json(found: Comparison) -> None:
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [picture["name"] for picture in values["pictures"]] == found.names
    methods = {method["name"]: method for method in values["methods"]}
    assert methods["noisy"]["seconds_per_megapixel"] is None
    assert methods["grey"]["macs_per_pixel"] == 5600
    assert methods["grey"]["psnr"] == sum(methods["grey"]["psnrs"]) / 2
    assert methods["grey"]["ssims"] == found.figures["grey"].ssims


def test_equal_and_tiny_pictures_leave_no_number() -> None:
    clean = to_bytes(torch.rand(1, 3, 4, 4, generator=Generator().manual_seed(0)))
    found = compare({"same": SAME}, [Batch(["x"], clean.float() / 255, clean, [0.0])])
    assert "inf" in markdown(found)
    method = json.loads(json.dumps(found.to_dict(), allow_nan=False))["methods"][1]
    assert (method["psnr"], method["psnrs"], method["ssim"], method["ssims"]) == (None, [None], None, [None])
