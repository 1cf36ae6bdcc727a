"""Batches of every kind of data."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import SHOTS, Scenes, TensorScenes
from n2n_core.errors import ConfigError, DataError
from n2n_core.image.rounding import to_bytes
from n2n_core.inference import tiling
from n2n_core.inference.tiling import Geometry
from n2n_core.training.batches.augmentation import augment, swap
from n2n_core.training.batches.sampling import CROPS_PER_EPOCH, Batch, Sampler, split
from n2n_core.training.config import TrainConfig
from tests.pictures import course_pairs
from tests.scenes import SIGMA, MixedScenes, noisy, scenes, smooth

CPU = torch.device("cpu")
PLAIN = TrainConfig(augment=False, swap=False, batch_size=4, crop=8)
ANY = Geometry(1, 0, 1)


def sampler(data: Scenes, config: TrainConfig = PLAIN, shape: Geometry = ANY) -> Sampler:
    return Sampler(data, range(len(data)), config, shape, CPU)


def epoch(data: Scenes, config: TrainConfig = PLAIN, seed: int = 0, shape: Geometry = ANY) -> list[Batch]:
    source, generator = sampler(data, config, shape), Generator().manual_seed(seed)
    return list(source.batches(source.order(generator), generator))


def stacked(batches: list[Batch]) -> tuple[Tensor, Tensor]:
    noisy, target = (torch.cat([batch[i] for batch in batches]) for i in (0, 1))  # type: ignore[misc]
    return noisy, target


def test_an_epoch_sees_every_small_pair_once() -> None:
    pairs = course_pairs(10)
    made = epoch(TensorScenes.of(pairs), PLAIN.model_copy(update={"crop": 64}))
    assert [len(batch.noisy) for batch in made] == [4, 4, 2]
    order = torch.randperm(10, generator=Generator().manual_seed(0))
    noisy, target = stacked(made)
    assert to_bytes(noisy).equal(pairs.input[order])
    assert to_bytes(target).equal(pairs.target[order])


def reference(pairs: Pairs, config: TrainConfig, seed: int, shape: Geometry) -> list[tuple[Tensor, Tensor]]:
    """An epoch of small pairs, as the recipes of the shipped weights were run."""
    generator, made = Generator().manual_seed(seed), []
    for index in torch.split(torch.randperm(len(pairs.input), generator=generator), config.batch_size):
        first, second = (images[index].float() / 255 for images in pairs)
        first, second = swap(first, second, generator)
        first, second = augment(first, second, generator)
        made.append((tiling.pad(first, shape), tiling.pad(second, shape)))
    return made


@pytest.mark.parametrize("fast", [True, False])
def test_small_pairs_are_drawn_as_for_the_shipped_weights(fast: bool) -> None:
    class Plain(MixedScenes):
        """The same pictures, read one by one."""

        def __init__(self, pairs: Pairs) -> None:
            self.pictures = list(torch.stack([images.float() / 255 for images in pairs], dim=1))

    pairs, config, shape = (
        course_pairs(11),
        PLAIN.model_copy(update={"swap": True, "augment": True, "crop": 64}),
        Geometry(5, 0, 5),
    )
    data = TensorScenes.of(pairs) if fast else Plain(pairs)
    made = epoch(data, config, seed=3, shape=shape)
    expected = reference(pairs, config, 3, shape)
    assert len(made) == len(expected)
    for batch, (first, second) in zip(made, expected, strict=True):
        assert batch.noisy.equal(first)
        assert batch.target.equal(second)


def test_both_shots_show_the_same_window_and_all_windows_come() -> None:
    data = MixedScenes([(11, 10)])
    noisy, target = stacked(epoch(data, PLAIN.model_copy(update={"crops_per_epoch": 400})))
    assert noisy.shape == (400, 3, 8, 8)
    assert target.equal(noisy + 0.5)
    corners = Counter(noisy[:, 0, 0, 0].tolist())
    assert set(corners) == {row * 10 + column for row in range(4) for column in range(3)}
    assert min(corners.values()) > 10


def test_pictures_of_different_sizes_share_a_batch_by_reflection() -> None:
    data = MixedScenes([(8, 8), (5, 8), (9, 3)])
    (batch,) = epoch(
        data, PLAIN.model_copy(update={"batch_size": 3, "crops_per_epoch": 3}), shape=Geometry(5, 0, 5)
    )
    assert batch.noisy.shape == (3, 3, 10, 10)
    assert batch.target.equal(batch.noisy + 0.5)


def test_large_pictures_have_shares_by_their_pixels() -> None:
    data = MixedScenes([(8, 8), (16, 24)])
    source = sampler(data, PLAIN.model_copy(update={"crops_per_epoch": 700}))
    assert source.order(Generator()).bincount().tolist() == [100, 600]


@pytest.mark.parametrize(
    ("size", "crops", "expected"),
    [
        ((8, 8), None, 6),
        ((16, 16), None, CROPS_PER_EPOCH[0]),
        ((160, 160), None, 6 * 20**2),
        ((480, 480), None, CROPS_PER_EPOCH[1]),
        ((480, 480), 5, 5),
    ],
)
def test_an_epoch_covers_the_pictures_within_bounds(
    size: tuple[int, int], crops: int | None, expected: int
) -> None:
    source = sampler(scenes("pairs", 6, *size), PLAIN.model_copy(update={"crops_per_epoch": crops}))
    assert source.crops == len(source.order(Generator())) == expected
    assert source.batches_per_epoch == -(-expected // 4)


def test_bursts_use_every_two_shots_in_both_orders_equally() -> None:
    shots = [torch.full((1, 3, 8, 8), float(shot)) for shot in range(4)]
    noisy, target = stacked(
        epoch(TensorScenes("bursts", *shots), PLAIN.model_copy(update={"crops_per_epoch": 1200}))
    )
    found = Counter(zip(noisy[:, 0, 0, 0].tolist(), target[:, 0, 0, 0].tolist(), strict=True))
    assert set(found) == {(float(a), float(b)) for a in range(4) for b in range(4) if a != b}
    assert min(found.values()) > 60
    assert sampler(TensorScenes("bursts", *shots)).crops == 2


def test_a_bursts_target_can_be_the_mean_of_its_other_shots() -> None:
    shots = [torch.full((1, 3, 8, 8), float(2**shot)) for shot in range(4)]
    for copies, others in ((2, 2), (3, 3), (9, 3)):
        config = PLAIN.model_copy(update={"crops_per_epoch": 200, "target_copies": copies})
        noisy, target = stacked(epoch(TensorScenes("bursts", *shots), config))
        for first, mean in zip(noisy[:, 0, 0, 0].tolist(), target[:, 0, 0, 0].tolist(), strict=True):
            rest = round(mean * others)
            assert rest.bit_count() == others
            assert not rest & int(first)


def test_clean_pictures_get_new_noise_for_each_crop() -> None:
    data = scenes("clean", 1, 8, 8)
    noisy, target = stacked(epoch(data, PLAIN.model_copy(update={"crops_per_epoch": 200})))
    assert target.equal(data.pictures[0].expand_as(target))
    noise = noisy - target
    assert noise.std().item() == pytest.approx(SIGMA, rel=0.02)
    assert noise.mean(0).abs().max() < SIGMA / 2
    assert noisy.min() < 0.2 - SIGMA  # not clipped at what the pictures reach


def test_noisy_targets_have_the_same_noise_level_and_their_own_noise() -> None:
    config = PLAIN.model_copy(
        update={"targets": "noisy", "crops_per_epoch": 300, "crop": 16, "corruption": {"name": "blind"}}
    )
    clean = torch.full((1, 3, 16, 16), 0.5)
    noisy, target = stacked(epoch(TensorScenes("clean", clean), config))
    first, second = (images - clean for images in (noisy, target))
    levels = first.flatten(1).std(1), second.flatten(1).std(1)
    assert torch.corrcoef(torch.stack(levels))[0, 1] > 0.95
    assert levels[0].std() > 0.03
    assert (first * second).mean().abs() < 0.02 * first.var()
    assert second.mean().abs() < 2e-3


@pytest.mark.parametrize("name", ["blind", "gaussian", "bernoulli"])
def test_a_target_can_be_the_mean_of_many_copies(name: str) -> None:
    clean = torch.full((1, 3, 16, 16), 0.5)
    variances = []
    for copies in (1, 16):
        config = PLAIN.model_copy(
            update={
                "targets": "noisy",
                "target_copies": copies,
                "crops_per_epoch": 300,
                "crop": 16,
                "corruption": {"name": name},
            }
        )
        noisy, target = stacked(epoch(TensorScenes("clean", clean), config))
        variances.append(target.var())
        assert (target - clean).mean().abs() < 5e-3
        assert ((noisy - clean) * (target - clean)).mean().abs() < 0.02 * noisy.var()
    assert (variances[0] / variances[1]).item() == pytest.approx(16, rel=0.15)


def test_inputs_alone_are_rounded() -> None:
    config = PLAIN.model_copy(update={"targets": "noisy", "rounded": 0.5, "crops_per_epoch": 200})
    noisy, target = stacked(epoch(scenes("clean", 1, 8, 8), config))
    rounded = [image.equal(to_bytes(image).float() / 255) for image in noisy]
    assert 70 < sum(rounded) < 130
    assert not any(image.equal(to_bytes(image).float() / 255) for image in target)


def test_a_share_of_the_crops_is_grey_and_so_is_its_noise() -> None:
    config = PLAIN.model_copy(update={"grey": 0.25, "targets": "noisy", "crops_per_epoch": 200})
    for images in stacked(epoch(scenes("clean", 1, 8, 8), config)):
        grey = [bool((image == image[:1]).all()) for image in images]
        assert 30 < sum(grey) < 70


def test_the_recipes_corruption_wins() -> None:
    config = PLAIN.model_copy(update={"crops_per_epoch": 100, "corruption": {"name": "bernoulli", "p": 0.25}})
    noisy, target = stacked(epoch(scenes("clean", 1, 8, 8), config))
    assert noisy.eq(0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(noisy[noisy > 0], target[noisy > 0] / 0.75)


def test_point_sampling_reads_blocks_and_gives_crops() -> None:
    config = PLAIN.model_copy(
        update={"corruption": {"name": "point-sampling", "block": 3}, "crops_per_epoch": 20}
    )
    noisy, target = stacked(epoch(TensorScenes("clean", smooth(3, 30, 26)), config))
    assert noisy.shape == target.shape == (20, 3, 8, 8)
    assert 0 < (noisy - target).abs().max() < 0.2


def test_single_pictures_are_divided_into_neighbours() -> None:
    data = scenes("single", 1, 9, 7)
    batch = epoch(data, PLAIN.model_copy(update={"batch_size": 30, "crops_per_epoch": 30}))[0]
    assert batch.whole is not None
    assert batch.subsampler is not None
    assert batch.whole.shape == (30, 3, 8, 6)
    assert batch.noisy.shape == batch.target.shape == (30, 3, 4, 3)
    first, second = batch.subsampler(batch.whole)
    assert first.equal(batch.noisy)
    assert second.equal(batch.target)
    assert not batch.noisy.equal(batch.target)


@pytest.mark.parametrize("kind", SHOTS)
def test_an_epoch_repeats_and_goes_on_in_its_middle(kind: str) -> None:
    config = TrainConfig(crop=8, batch_size=3, crops_per_epoch=20)
    whole = epoch(scenes(kind), config, seed=5)
    assert stacked(whole)[0].equal(stacked(epoch(scenes(kind), config, seed=5))[0])
    assert not stacked(whole)[0].equal(stacked(epoch(scenes(kind), config, seed=6))[0])
    source, generator = sampler(scenes(kind), config), Generator().manual_seed(5)
    order = source.order(generator)
    pending = source.batches(order, generator)
    for _ in range(3):
        next(pending)
    again = Generator()
    again.set_state(generator.get_state())
    rest = list(source.batches(order, again, first=3))
    assert stacked(rest)[0].equal(stacked(whole[3:])[0])
    assert stacked(rest)[1].equal(stacked(whole[3:])[1])


@pytest.mark.parametrize(
    ("data", "values", "error", "message"),
    [
        (TensorScenes("films", smooth(2)), {}, DataError, "kind is 'films', expected one of: pairs, bursts"),
        (TensorScenes("bursts", smooth(2)), {}, DataError, "scene 0 has 1 shots, expected at least 2"),
        (TensorScenes("clean", smooth(2)), {}, ConfigError, "corruption is None, expected that of the noise"),
        (TensorScenes("single", smooth(2, 1, 5)), {}, DataError, "scene 0 is 5 x 1, expected at least 2 x 2"),
        (
            TensorScenes("pairs", *noisy(smooth(2), 2)), {"corruption": {"name": "gaussian"}},
            ConfigError, "expected none: the data's kind is 'pairs'",
        ),
    ],
)  # fmt: skip
def test_data_that_cannot_be_sampled_is_refused(
    data: TensorScenes, values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sampler(data, PLAIN.model_copy(update=values))


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(2, 0.1, 1), (20, 0.1, 2), (4, 0.99, 3)])
def test_scenes_are_split_once_and_for_all(count: int, fraction: float, held_out: int) -> None:
    training, validation = split(count, fraction)
    assert sorted(training + validation) == list(range(count))
    assert len(validation) == held_out
    assert split(count, fraction) == (training, validation)


def test_one_scene_cannot_be_split() -> None:
    with pytest.raises(DataError, match="has 1 scenes, expected at least 2"):
        split(1, 0.5)


def test_both_images_of_a_pair_are_turned_alike_and_all_eight_ways() -> None:
    image = torch.rand(1, 3, 4, 4, generator=Generator().manual_seed(0))
    first, second = augment(
        image.expand(400, -1, -1, -1), 2 * image.expand(400, -1, -1, -1), Generator().manual_seed(1)
    )
    assert second.equal(2 * first)
    ways = [turned for base in (image, image.flip(3)) for turned in (base.rot90(k, (2, 3)) for k in range(4))]
    counts = [first.eq(way).flatten(1).all(1).sum().item() for way in ways]
    assert sum(counts) == 400
    assert min(counts) > 20


def test_images_that_are_not_square_keep_their_shape() -> None:
    image = torch.rand(50, 3, 4, 6)
    first, _ = augment(image, image, Generator().manual_seed(1))
    assert first.shape == image.shape
    assert not first.equal(image)


def test_swapping_exchanges_whole_images_of_about_half_the_pairs() -> None:
    zeros, ones = torch.zeros(400, 3, 2, 2), torch.ones(400, 3, 2, 2)
    first, second = swap(zeros, ones, Generator().manual_seed(0))
    assert (first + second).equal(ones)
    shares = first.flatten(1).mean(1)
    assert set(shares.tolist()) == {0.0, 1.0}
    assert 0.4 < shares.mean() < 0.6
