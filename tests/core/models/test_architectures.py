"""The architectures are the reports', and their descriptions rebuild them."""

import json
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from n2n_core import scratch
from n2n_core.errors import ConfigError, UnknownModelError
from n2n_core.inference import tiling
from n2n_core.models import torch_modules
from n2n_core.models.architectures import (
    ARCHITECTURES,
    DEPTHS,
    ENGINES,
    FINAL,
    FINAL_WITHOUT_SKIP,
    INITIAL,
    MODELS,
    Architecture,
    AutoEncoder,
    StridedAutoEncoder,
    UNet,
    describe,
    engines,
    model,
    restore,
)
from n2n_core.models.torch_modules import Network
from n2n_core.models.weights import count_parameters

COUNTS: list[tuple[Architecture, int]] = [
    (INITIAL, 20_259),
    (DEPTHS[4], 20_259),
    (DEPTHS[6], 20_533),
    (DEPTHS[8], 20_729),
    (DEPTHS[10], 20_131),
    (DEPTHS[12], 20_253),
    (FINAL, 188_403),
    (FINAL_WITHOUT_SKIP, 185_703),
    (StridedAutoEncoder(), 134_203),
]
ALL: dict[str, Architecture] = {
    **MODELS,
    **{f"depth-{depth}": architecture for depth, architecture in DEPTHS.items()},
    "without skip": FINAL_WITHOUT_SKIP,
}
EACH = pytest.mark.parametrize("architecture", ALL.values(), ids=ALL)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def output(network: Network, images: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = network(images)
    return result


def values(network: Network) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in network.state_dict().values()])


@pytest.mark.parametrize(("architecture", "count"), COUNTS)
def test_parameters_are_as_many_as_in_the_reports(architecture: Architecture, count: int) -> None:
    assert count_parameters(architecture.build()) == count


@pytest.mark.parametrize("depth", DEPTHS)
def test_depths_have_as_many_layers_as_they_say(depth: int) -> None:
    assert len(DEPTHS[depth].channels) == depth
    assert not DEPTHS[depth].skip


def test_the_served_networks_are_the_reports_last_ones() -> None:
    assert MODELS["torch"] == FINAL == AutoEncoder((100, 100, 100, 3), skip=True)
    assert MODELS["scratch"] == StridedAutoEncoder(3, 100)
    assert isinstance(MODELS["scratch"].build(), scratch.Module)


@EACH
@pytest.mark.parametrize("size", [(32, 32), (16, 24), (24, 40)])
def test_the_output_has_the_inputs_size_and_lies_between_0_and_1(
    architecture: Architecture, size: tuple[int, int]
) -> None:
    images = torch.rand(2, 3, *size, generator=seeded())
    result = output(architecture.build(seeded()), images)
    assert result.shape == images.shape
    if not isinstance(architecture, UNet):  # it has no sigmoid: what is beyond is clipped where it is saved
        assert 0 < result.min() < result.max() < 1


@pytest.mark.parametrize("skip", [True, False])
def test_the_auto_encoder_is_the_reports_formula(skip: bool) -> None:
    network = AutoEncoder((4, 5, 6, 3), skip=skip).build(seeded())
    x = torch.rand(2, 3, 9, 11, generator=seeded())
    w = network.state_dict()
    first = conv2d(x, w["layers.0.weight"], w["layers.0.bias"]).relu()
    second = conv2d(first, w["layers.1.weight"], w["layers.1.bias"]).relu()
    third = conv_transpose2d(second, w["layers.2.weight"], w["layers.2.bias"]).relu()
    last = torch.cat([first, third], dim=1) if skip else third
    expected = conv_transpose2d(last, w["layers.3.weight"], w["layers.3.bias"]).sigmoid()
    torch.testing.assert_close(output(network, x), expected)


@pytest.mark.parametrize("skip", [True, False])
def test_only_a_skip_lets_the_first_layer_reach_the_last_past_the_middle(skip: bool) -> None:
    network = AutoEncoder((4, 5, 6, 3), skip=skip).build(seeded())
    state = network.state_dict()
    for name in ("layers.1.weight", "layers.1.bias"):
        state[name].zero_()
    images = torch.rand(2, 1, 3, 9, 11, generator=seeded())
    assert output(network, images[0]).allclose(output(network, images[1])) == (not skip)


@EACH
def test_a_description_in_json_restores_the_architecture(architecture: Architecture) -> None:
    description = json.loads(json.dumps(describe(architecture)))
    assert restore(description) == architecture
    assert description["family"] in ARCHITECTURES
    assert description == json.loads(json.dumps(describe(restore(description))))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "unknown architecture None; known ones: autoencoder, strided-autoencoder"),
        ({"family": "vae"}, "unknown architecture 'vae'; known ones: autoencoder, "),
        (
            {"family": "autoencoder", "depth": 3},
            "architecture 'autoencoder' cannot be made from .*'depth': 3",
        ),
        ({"family": "autoencoder", "channels": 3}, "architecture 'autoencoder' cannot be made from "),
        (
            {"family": "autoencoder", "channels": [4, 5, 3]},
            r"channels is \(4, 5, 3\), expected an even number",
        ),
    ],
)
def test_descriptions_of_nothing_known_are_named(description: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        restore(description)


def test_restoring_changes_no_description() -> None:
    description = describe(FINAL)
    restore(description)
    assert description == describe(FINAL)


@pytest.mark.parametrize(
    ("channels", "skip", "message"),
    [
        ((), False, r"channels is \(\), expected an even number of sizes above 0"),
        ((3,), False, r"channels is \(3,\), expected an even number"),
        ((8, 8, 3), False, r"channels is \(8, 8, 3\), expected an even number"),
        ((8, 0, 8, 3), False, r"channels is \(8, 0, 8, 3\), expected an even number of sizes above 0"),
        ((8, 3), True, r"channels is \(8, 3\), expected 4 or more for skip"),
    ],
)
def test_bad_channels_are_named(channels: tuple[int, ...], skip: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^AutoEncoder: {message}"):
        AutoEncoder(channels, skip=skip)


@EACH
def test_the_generator_decides_the_weights_and_the_global_one_stays(architecture: Architecture) -> None:
    state = torch.get_rng_state()
    generator = seeded()
    first, second = values(architecture.build(generator)), values(architecture.build(generator))
    assert first.equal(values(architecture.build(seeded())))
    assert not first.equal(values(architecture.build(seeded(1))))
    assert not first.equal(second)
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("name", MODELS)
def test_without_a_generator_no_two_networks_are_alike(name: str) -> None:
    assert not values(model(name).build()).equal(values(model(name).build()))


@pytest.mark.parametrize("name", MODELS)
def test_models_are_found_by_name(name: str) -> None:
    assert model(name) is MODELS[name]


@EACH
@pytest.mark.parametrize("engine", ENGINES)
def test_every_architecture_is_built_on_every_engine_that_it_has(
    architecture: Architecture, engine: str
) -> None:
    if engine not in engines(architecture):
        with pytest.raises(ConfigError, match="engine is 'scratch', expected 'torch'"):
            architecture.build(engine=engine)
        return
    network, own = architecture.build(engine=engine), architecture.build()
    assert isinstance(network, scratch.Module) == (engine == "scratch")
    shapes = [{name: tensor.shape for name, tensor in net.state_dict().items()} for net in (network, own)]
    assert shapes[0] == shapes[1]
    assert tiling.geometry(network) == tiling.geometry(own)


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="engine is 'jax', expected one of: auto, torch, scratch"):
        FINAL.build(engine="jax")


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownModelError, match="unknown model 'resnet'; known models: photo, scratch, torch, unet"
    ):
        model("resnet")


def test_a_residual_network_hands_maps_across_with_no_more_parameters() -> None:
    network = AutoEncoder((5, 4, 5, 3), skip=False, residual=True).build(seeded())
    assert isinstance(network, torch_modules.AutoEncoder)
    for layer in list(network.layers)[1:-1]:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    x = torch.rand(2, 3, 9, 11, generator=seeded(1))
    first, last = network.features(x)
    assert last.equal(first)
    plain = AutoEncoder((5, 4, 5, 3), skip=False)
    assert count_parameters(network) == count_parameters(plain.build())
    assert tiling.geometry(network) == tiling.geometry(plain.build())
    assert restore(describe(AutoEncoder(residual=True))) == AutoEncoder(residual=True)


def test_residual_needs_mirrored_channels_and_torch() -> None:
    with pytest.raises(ConfigError, match=r"channels is \(5, 4, 6, 3\), expected mirrored channels"):
        AutoEncoder((5, 4, 6, 3), residual=True)
    with pytest.raises(ConfigError, match="engine is 'scratch', expected 'torch' for residual"):
        AutoEncoder(residual=True).build(engine="scratch")
