"""Nearest-neighbour upsampling, alone and followed by a convolution."""

from operator import lt
from typing import Any

from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.conv import Conv2d
from n2n_core.scratch.fused_upsampling import OneStep, one_step
from n2n_core.scratch.module import Module
from n2n_core.scratch.windows import Pair, pair, pixels, planes


class NearestUpsampling(Module):
    """Repeat every pixel ``scale_factor`` times in both directions.

    Shapes: ``(N, C, H, W)`` to ``(N, C, s1 H, s2 W)``.

    >>> import torch
    >>> NearestUpsampling(2)(torch.arange(2.0).view(1, 1, 1, 2)).tolist()
    [[[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]]]
    """

    def __init__(self, scale_factor: int | Pair) -> None:
        self.scale_factor = pair(scale_factor)
        if min(self.scale_factor) < 1:
            raise ShapeError("NearestUpsampling", "scale_factor", scale_factor, "at least 1")

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``y[n, c, i, j] = x[n, c, i // s1, j // s2]``."""
        if x.dim() != 4:
            raise ShapeError("NearestUpsampling", "the input's shape", tuple(x.shape), "(N, C, H, W)")
        (n, c, h, w), (s1, s2) = x.shape, self.scale_factor
        self.keep(x)
        y = pixels(x).view(n, h, 1, w, 1, c).expand(n, h, s1, w, s2, c)
        return planes(y.reshape(n, h * s1, w * s2, c))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Each input pixel collects the gradients of its ``s1 s2`` copies."""
        (x,) = self.recall()
        (n, c, h, w), (s1, s2) = x.shape, self.scale_factor
        grad = self.received(grad, (n, c, s1 * h, s2 * w))
        return planes(pixels(grad).view(n, h, s1, w, s2, c).sum((2, 4)))


class Upsampling(Module):
    """Nearest upsampling, then ``Conv2d``: what stands in for a transposed convolution.

    Arguments are those of ``Conv2d``, and ``scale_factor``. With stride 1, and less padding than
    kernel, both run in one step, which gives the same numbers (``fused_upsampling.py``).

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
        self.step: OneStep | None = None
        if self.conv.stride == self.conv.dilation == (1, 1) and all(map(lt, padding, kernel)):
            self.step = one_step(kernel, self.nearest.scale_factor, padding, (in_channels, out_channels))
        self._kept: tuple[Tensor, int, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``conv(nearest(x))``."""
        if self.step is None:
            return self.conv(self.nearest(x))
        x, size = self.conv.enter(x, self.nearest.scale_factor)
        return planes(self.step.forward(x, self._weights(self.step), self.conv.start(), size))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """The two backward passes, in reverse order."""
        if self.step is None:
            return self.nearest.backward(self.conv.backward(grad))
        x, grad = self.conv.leave(grad, self.nearest.scale_factor)
        dx, dweights = self.step.backward(x, grad, self._weights(self.step))
        dkernel = self.step.weights_backward(dweights, (self.conv.in_channels, self.conv.out_channels))
        self.conv.add_gradients(dkernel.permute(3, 0, 1, 2).flatten(1), grad)
        return planes(dx)

    def _weights(self, step: OneStep) -> Tensor:
        """The step's own weights; in inference mode kept until the kernel is written to.

        Writes are told by the kernel's version, as in autograd: those through ``.data`` are not.
        """
        kernel = self.conv.weight
        if self.training or kernel.is_inference():  # tensors made in inference mode have no version
            return step.weights(kernel.permute(2, 3, 1, 0))
        owner, version, weights = self._kept or (None, -1, kernel)
        if owner is not kernel or version != kernel._version:
            version, weights = kernel._version, step.weights(kernel.permute(2, 3, 1, 0))
            self._kept = kernel, version, weights
        return weights

    def __getstate__(self) -> dict[str, Any]:
        """For copies, whose weights count their versions anew."""
        return {**vars(self), "_kept": None}
