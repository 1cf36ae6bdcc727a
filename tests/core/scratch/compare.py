"""Oracles for the scratch framework: torch with autograd, finite differences, torch.optim."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core.scratch import MSE, Module, Optimizer, Parameter

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random values; the same for the same seed."""
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=dtype)


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def transposed(tensor: Tensor) -> Tensor:
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def every_other(tensor: Tensor) -> Tensor:
    return torch.stack([tensor, -tensor], dim=-1)[..., 0]


def inner(tensor: Tensor) -> Tensor:
    return nn.functional.pad(tensor, (1, 2, 2, 1), value=9.0)[..., 2:-1, 1:-2]


LAYOUTS = [channels_last, transposed, every_other, inner]
"""Tensors of equal values, whose memory is not contiguous."""


def close(got: Tensor, expected: Tensor, name: str) -> None:
    """Assert equal shapes, types and values; NaN equals NaN alone."""
    tolerance = TOLERANCE[expected.dtype]
    torch.testing.assert_close(
        got, expected, rtol=tolerance, atol=tolerance, equal_nan=True, msg=lambda text: f"{name}: {text}"
    )


def filled(layer: Module) -> Module:
    """``layer`` with fixed random parameters, whatever it was initialised to."""
    for seed, tensor in enumerate(layer.state_dict().values()):
        tensor.copy_(normal(*tensor.shape, seed=10 + seed) / tensor[0].numel() ** 0.5)
    return layer


def gradients(layer: Module) -> dict[str, Tensor]:
    """The gradients by the parameters' names."""
    names, pairs = list(layer.state_dict()), layer.param()
    assert len(pairs) == len(names), f"param() gives {len(pairs)} parameters of {len(names)}"
    return {name: grad for name, (_, grad) in zip(names, pairs, strict=True)}


def against_torch(
    layer: Module,
    reference: Callable[[Tensor], Tensor],
    x: Tensor,
    layout: Callable[[Tensor], Tensor] = as_it_is,
) -> None:
    """Hold ``layer`` against ``reference`` of the same weights: output, dx, parameters' gradients.

    Two passes, each with a random upstream gradient; parameters' gradients add up over them.
    """
    filled(layer.to(x))
    parameters: dict[str, Tensor] = {}
    if isinstance(reference, nn.Module):
        parameters = dict(reference.to(x).named_parameters())
    assert list(layer.state_dict()) == list(parameters)
    for name, tensor in layer.state_dict().items():
        parameters[name].data.copy_(tensor)
    for seed in (1, 2):
        leaf = x.detach().clone().requires_grad_()
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN rounds to TF32
            expected = reference(leaf)
            upstream = normal(*expected.shape, seed=seed).to(x)
            torch.autograd.backward([expected], [upstream])
        assert leaf.grad is not None
        given = layout(x), layout(upstream.clone())
        y = layer(given[0])
        close(y, expected.detach(), "output")
        close(layer.backward(given[1]), leaf.grad, "dx")
        for name, grad in gradients(layer).items():
            by_torch = parameters[name].grad
            assert by_torch is not None
            close(grad, by_torch, f"gradient of {name}")
        close(given[0], x, "the input, afterwards")
        close(given[1], upstream, "the upstream gradient, afterwards")


def by_differences(layer: Module, x: Tensor, step: float = 1e-5) -> None:
    """Hold dx and the parameters' gradients against central differences, element by element."""
    filled(layer.to(x))
    upstream = normal(*layer(x).shape, seed=1).to(x)

    def value() -> float:
        return (layer(x) * upstream).sum().item()

    dx = layer.backward(upstream)
    grads = {name: grad.clone() for name, grad in gradients(layer).items()}
    for name, tensor in {"x": x, **layer.state_dict()}.items():
        expected = torch.empty_like(tensor)
        for index in product(*map(range, tensor.shape)):
            kept = tensor[index].item()
            tensor[index] = kept + step
            above = value()
            tensor[index] = kept - step
            below = value()
            tensor[index] = kept
            expected[index] = (above - below) / (2 * step)
        torch.testing.assert_close(
            dx if name == "x" else grads[name], expected, rtol=1e-6, atol=1e-7, msg=lambda text: text
        )


def same_steps(
    make: Callable[[list[Parameter]], Optimizer],
    reference: Callable[[list[Tensor]], torch.optim.Optimizer],
) -> None:
    """Hold an optimiser against torch's: 20 steps on random gradients, at a changing rate."""
    starts = [normal(3, 2, 2, 2), normal(3, seed=1), normal(4, 5, seed=2)]
    ours = [[start.clone(), torch.zeros_like(start)] for start in starts]
    theirs = [start.clone() for start in starts]
    optimizer, expected = make(ours), reference(theirs)
    for step in range(20):
        optimizer.lr = expected.param_groups[0]["lr"] = 0.1 / (1 + step)
        for index, (pair, tensor) in enumerate(zip(ours, theirs, strict=True)):
            tensor.grad = normal(*tensor.shape, seed=100 * step + index)
            pair[1].copy_(tensor.grad)
        optimizer.step()
        expected.step()
        for (got, _), tensor in zip(ours, theirs, strict=True):
            close(got, tensor, f"step {step}")


class LossTo(Module):
    """``MSE`` to a fixed target, as a layer that the oracles can check."""

    def __init__(self, target: Tensor) -> None:
        self.loss, self.target = MSE(), target

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return self.loss(x, self.target)

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad * self.loss.backward()


def torch_upsampling(
    c_in: int, c_out: int, kernel: Any, scale: Any = 2, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    bias: bool = True,
) -> nn.Module:  # fmt: skip
    """``scratch.Upsampling`` in torch, with the same names and order of arguments."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, bias=bias)
    return nn.Sequential(OrderedDict(nearest=nn.Upsample(scale_factor=scale), conv=conv))


class TorchSkip(nn.Module):
    """``scratch.Skip`` around one module, in torch; its parameters are named alike."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.add_module("0", module)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.get_submodule("0")(x)], dim=1)


def weights_of(layers: Sequence[Parameter]) -> list[Tensor]:
    """Copies of the parameters."""
    return [tensor.clone() for tensor, _ in layers]
