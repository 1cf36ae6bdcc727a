"""Rewrite networks for training on a CPU: the same gradients, faster.

In torch.nn, a transposed convolution to few channels is slow in both directions. Here it is one matrix
product to ``K K C_out`` columns, whose planes are shifted by their taps and summed. Concatenated maps need
no concatenation, as their products are summed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from n2n_core.models.torch_modules import AutoEncoder

Forward = Callable[[Tensor], Tensor]


def training_form(network: nn.Module, device: torch.device) -> Forward:
    """Return the fastest function with the output and gradients of ``network``, in float32 on ``device``."""
    if isinstance(network, AutoEncoder) and device.type == "cpu":
        return lambda x: _auto_encoder(network, x)
    return network


def _auto_encoder(network: AutoEncoder, x: Tensor) -> Tensor:
    first, last = network.features(x)
    maps = (first, last) if network.skip else (last,)
    head = network.layers[-1]
    output: Tensor = _Narrow.apply(head.weight, head.bias, *maps)  # type: ignore[no-untyped-call]
    return output.sigmoid()


class _Narrow(torch.autograd.Function):
    """``conv_transpose2d(cat(maps, 1), weight, bias)``: stride 1, no padding, few output channels.

    Maps are ``(N, C_i, H, W)``, channels last in memory. The weight is ``(sum C_i, C_out, K, K)``.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, *maps: Tensor) -> Tensor:
        ctx.save_for_backward(weight, *maps)
        (n, _, h, w), (_, c, k, _) = maps[0].shape, weight.shape
        rows, parts = [_rows(x) for x in maps], _parts(weight, maps)
        columns = parts[0].t() @ rows[0].t()  # (C_out K K, N H W)
        for part, x in zip(parts[1:], rows[1:], strict=True):
            columns.addmm_(part.t(), x.t())
        taps = columns.view(c, k, k, n, h, w)
        output = bias.view(c, 1, 1, 1).repeat(1, n, h + k - 1, w + k - 1)
        for i in range(k):
            for j in range(k):
                output[:, :, i : i + h, j : j + w] += taps[:, i, j]
        return output.transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        weight, *maps = ctx.saved_tensors
        (n, _, h, w), (_, c, k, _) = maps[0].shape, weight.shape
        windows = grad.transpose(0, 1).unfold(2, k, 1).unfold(3, k, 1)  # (C_out, N, H, W, K, K)
        columns = windows.permute(0, 4, 5, 1, 2, 3).reshape(c * k * k, n * h * w)
        products = (columns.t() @ part.t() for part in _parts(weight, maps))
        dmaps = [product.view(n, h, w, -1).permute(0, 3, 1, 2) for product in products]
        dweight = torch.cat([(columns @ _rows(x)).t() for x in maps]).view(weight.shape)
        return dweight, grad.sum((0, 2, 3)), *dmaps


def _rows(x: Tensor) -> Tensor:
    """Reshape ``(N, C, H, W)`` to ``(N H W, C)``, without a copy if channels are last in memory."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _parts(weight: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Split the weight by maps, ``(C_i, C_out K K)`` each."""
    return torch.split(weight.flatten(1), [x.shape[1] for x in maps])
