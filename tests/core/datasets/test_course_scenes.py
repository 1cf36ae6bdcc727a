"""Fresh pairs by the course's rule."""

import torch
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule
from n2n_core.datasets.course_scenes import CourseScenes
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.tiling import Geometry
from n2n_core.training.batches.sampling import Sampler
from n2n_core.training.config import TrainConfig

CPU = torch.device("cpu")
RULE = CourseRule(size=4, min_block=2)


def photos() -> list[Tensor]:
    generator = Generator().manual_seed(0)
    return [to_bytes(torch.rand(3, *size, generator=generator)).float() / 255 for size in ((13, 17), (8, 9))]


def coordinates(height: int, width: int) -> Tensor:
    """A picture whose colours tell the pixel: row, column, 0."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.zeros(height, width)]).float() / 255


def test_both_shots_sample_the_same_blocks() -> None:
    scenes = CourseScenes([coordinates(13, 17)], RULE)
    first, second = scenes.draw([0] * 400, Generator().manual_seed(1), CPU, 8)
    assert first.shape == second.shape == (400, 3, 4, 4)
    found = set()
    for pair in zip(first, second, strict=True):
        rows, columns = ((torch.stack(pair)[:, axis] * 255).round() for axis in (0, 1))
        steps = [offsets.amax(0) - offsets.amin(0) for offsets in (rows, columns)]
        assert max(step.max() for step in steps) <= 2  # of blocks of 2 or 3 pixels
        assert all((rows[shot].diff(dim=0) >= 0).all() for shot in (0, 1))
        found.add((int(rows.max()), int(columns.max())))
    assert not first.equal(second)
    assert max(row for row, _ in found) == 12
    assert max(column for _, column in found) == 16


def test_the_shots_average_to_the_blocks_means() -> None:
    photo = photos()[1]  # 8 x 9 holds blocks of 2 alone
    scenes = CourseScenes([photo], RULE)
    shots = torch.cat(scenes.draw([0] * 8000, Generator().manual_seed(2), CPU, 8))
    expected = torch.nn.functional.avg_pool2d(torch.stack([photo[:, :, :8], photo[:, :, 1:]]), 2)
    assert (shots.mean(0) - expected.mean(0)).abs().max() < 0.02


def test_batches_are_new_each_time_and_the_same_for_a_seed() -> None:
    scenes = CourseScenes(photos(), RULE)
    config = TrainConfig(batch_size=8, crops_per_epoch=16, crop=8)
    sampler = Sampler(scenes, range(2), config, Geometry(1, 0, 1), CPU)

    def epoch(seed: int) -> list[Tensor]:
        generator = Generator().manual_seed(seed)
        return [batch.noisy for batch in sampler.batches(sampler.order(generator), generator)]

    assert [batch.shape for batch in epoch(0)] == [(8, 3, 4, 4)] * 2
    assert all(a.equal(b) for a, b in zip(epoch(0), epoch(0), strict=True))
    assert not epoch(0)[0].equal(epoch(1)[0])
    assert not epoch(0)[0].equal(epoch(0)[1])


def test_the_fingerprint_tells_photos_and_rules_apart() -> None:
    made = [(photos(), RULE), (photos()[:1], RULE), (photos(), CourseRule(size=4, min_block=1))]
    prints = {CourseScenes(pictures, rule).fingerprint for pictures, rule in made}
    assert len(prints) == 3
    assert CourseScenes(photos(), RULE).fingerprint in prints


def test_a_window_of_a_shot_is_always_the_same() -> None:
    scenes = CourseScenes(photos(), RULE)
    rows, columns = slice(1, 3), slice(0, 4)
    assert scenes.read(0, 1, rows, columns).equal(scenes.read(0, 1, rows, columns))
    assert scenes.read(0, 1, rows, columns).shape == (3, 2, 4)
