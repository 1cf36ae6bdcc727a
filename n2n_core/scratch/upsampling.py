"""Nearest-neighbour upsampling, by itself and followed by a convolution."""

from operator import lt
from typing import Any

from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.conv import Conv2d
from n2n_core.scratch.fused_upsampling import FusedUpsampling, pick_fused_upsampling
from n2n_core.scratch.module import Module
from n2n_core.scratch.windows import Pair, channels_first, channels_last, pair


class NearestUpsampling(Module):
    """Repeat each pixel ``scale_factor`` times along each axis.

    Shapes: ``(N, C, H, W)`` to ``(N, C, s1 H, s2 W)``. ``scale_factor`` is an int or a pair (rows, columns).

    >>> import torch
    >>> NearestUpsampling(2)(torch.arange(2.0).view(1, 1, 1, 2)).tolist()
    [[[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]]]
    """

    def __init__(self, scale_factor: int | Pair) -> None:
        self.scale_factor = pair(scale_factor)
        if min(self.scale_factor) < 1:
            raise ShapeError("NearestUpsampling", "scale_factor", scale_factor, "at least 1")

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``y[n, c, i, j] = x[n, c, i // s1, j // s2]``."""
        if x.dim() != 4:
            raise ShapeError("NearestUpsampling", "the input's shape", tuple(x.shape), "(N, C, H, W)")
        (n, c, h, w), (s1, s2) = x.shape, self.scale_factor
        self.save_for_backward(x)
        y = channels_last(x).view(n, h, 1, w, 1, c).expand(n, h, s1, w, s2, c)
        return channels_first(y.reshape(n, h * s1, w * s2, c))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx``: for each pixel, the sum of the gradients of its ``s1 s2`` copies."""
        (x,) = self.saved_tensors()
        (n, c, h, w), (s1, s2) = x.shape, self.scale_factor
        grad = self.check_grad(grad, (n, c, s1 * h, s2 * w))
        return channels_first(channels_last(grad).view(n, h, s1, w, s2, c).sum((2, 4)))


class Upsampling(Module):
    """Nearest-neighbour upsampling, then ``Conv2d``: report 2's substitute for a transposed convolution.

    The arguments are those of ``Conv2d``, plus ``scale_factor``. With stride 1, dilation 1 and less
    padding than kernel, both run as one operation with the same result (``fused_upsampling.py``).

    Shapes: ``(N, C_in, H, W)`` to ``(N, C_out, H', W')``, the output of ``Conv2d`` for ``(s1 H, s2 W)``.

    >>> import torch
    >>> Upsampling(8, 3, kernel_size=3, scale_factor=2, padding=1)(torch.empty(1, 8, 5, 6)).shape
    torch.Size([1, 3, 10, 12])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        scale_factor: int | Pair = 2,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        bias: bool = True,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.nearest = NearestUpsampling(scale_factor)
        self.conv = Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, bias, generator=generator
        )
        kernel, padding = self.conv.kernel_size, self.conv.padding
        self.fused: FusedUpsampling | None = None
        if self.conv.stride == self.conv.dilation == (1, 1) and all(map(lt, padding, kernel)):
            channels = in_channels, out_channels
            self.fused = pick_fused_upsampling(kernel, self.nearest.scale_factor, padding, channels)
        self._cached: tuple[Tensor, int, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``conv(nearest(x))``."""
        if self.fused is None:
            return self.conv(self.nearest(x))
        x, size = self.conv.begin_forward(x, self.nearest.scale_factor)
        bias = self.conv.bias_or_zeros()
        return channels_first(self.fused.forward(x, self._weights(self.fused), bias, size))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx``, and add the gradients of the kernel and the bias."""
        if self.fused is None:
            return self.nearest.backward(self.conv.backward(grad))
        x, grad = self.conv.begin_backward(grad, self.nearest.scale_factor)
        dx, dweights = self.fused.backward(x, grad, self._weights(self.fused))
        dkernel = self.fused.weights_backward(dweights, (self.conv.in_channels, self.conv.out_channels))
        self.conv.add_gradients(dkernel.permute(3, 0, 1, 2).flatten(1), grad)
        return channels_first(dx)

    def _weights(self, fused: FusedUpsampling) -> Tensor:
        """Return the weights of the fused operation, cached in inference mode until the kernel changes.

        The kernel's version counter tells whether it has changed, as in autograd. Writes through
        ``.data`` do not increase it.
        """
        kernel = self.conv.weight
        if self.training or kernel.is_inference():  # tensors made in inference mode have no version
            return fused.weights(kernel.permute(2, 3, 1, 0))
        owner, version, weights = self._cached or (None, -1, kernel)
        if owner is not kernel or version != kernel._version:
            version, weights = kernel._version, fused.weights(kernel.permute(2, 3, 1, 0))
            self._cached = kernel, version, weights
        return weights

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cache out of copies, because their kernels start with a new version counter."""
        return {**vars(self), "_cached": None}
