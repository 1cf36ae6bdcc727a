"""Nearest-neighbour upsampling, alone and followed by a convolution."""

from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.conv import Conv2d
from n2n_core.scratch.module import Module
from n2n_core.scratch.windows import Pair, Windows, pair, pixels, planes


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
        y = pixels(x).view(n, h, 1, w, 1, c).expand(n, h, s1, w, s2, c)
        return planes(y.reshape(n, h * s1, w * s2, c))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Each input pixel collects the gradients of its ``s1 s2`` copies."""
        (n, c, h, w), (s1, s2) = grad.shape, self.scale_factor
        return planes(pixels(grad).view(n, h // s1, s1, w // s2, s2, c).sum((2, 4)))


class Upsampling(Module):
    """Nearest upsampling, then ``Conv2d``: what stands in for a transposed convolution.

    Arguments are those of ``Conv2d``, and ``scale_factor``.

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
        kernel, scale, padding = self.conv.kernel_size, self.nearest.scale_factor, self.conv.padding
        self.is_one_step = self.conv.stride == self.conv.dilation == (1, 1) and all(
            p < k for p, k in zip(padding, kernel, strict=True)
        )
        self._kept: tuple[Tensor, int, Tensor] | None = None
        self.windows = Windows(
            kernel_size=(kernel[0] + scale[0] - 1, kernel[1] + scale[1] - 1),
            stride=scale,
            padding=(kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]),
            dilation=(1, 1),
        )

    # One step. A pixel of the small map is repeated s times, and each copy meets K taps of the
    # kernel: together they touch K + s - 1 neighbours in a row, whatever the pixel. So both steps
    # are one transposed convolution of stride s, whose kernel entries are sums of the kernel's:
    # for K = 3, s = 2 the entries w2, w1 + w2, w0 + w1, w0 on each axis. 16 taps on the small map
    # do the work of 9 on one four times as large, and the large map is never built.

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``conv(nearest(x))``; in one step ``y = windows^T(x M) + b``, ``M`` sums of ``W``."""
        if not self.is_one_step:
            return self.conv(self.nearest(x))
        x, size = self.conv.enter(x, self.nearest.scale_factor)
        return planes(self.windows.scatter(x, self._matrix(), self.conv.start(), size))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """The two backward passes, in reverse order; in one step ``dM = x^T windows(grad)``."""
        if not self.is_one_step:
            return self.nearest.backward(self.conv.backward(grad))
        x, grad = self.conv.leave(grad)
        self.conv.add_gradients(self._spread(self.windows.outer(x, grad)), grad)
        return planes(self.windows.gather(grad, self._matrix().t(), x.new_zeros(x.shape[3])))

    def _matrix(self) -> Tensor:
        """The one step's weights as ``(C_in, T1 T2 C_out)``, ``T = K + s - 1``: sums of the kernel's.

        In inference mode they are kept until the kernel is written to, which its version tells.
        """
        weight = self.conv.weight
        if self.training or weight.is_inference():
            return self._sums(weight)
        kernel, version, matrix = self._kept or (None, -1, weight)
        if kernel is not weight or version != weight._version:
            version, matrix = weight._version, self._sums(weight)
            self._kept = weight, version, matrix
        return matrix

    def _sums(self, weight: Tensor) -> Tensor:
        kernel = weight.permute(2, 3, 0, 1).flip(0, 1)  # (K1, K2, C_out, C_in)
        matrix = kernel.new_zeros(*self.windows.kernel_size, *kernel.shape[2:])
        for part in self._copies(matrix):
            part.add_(kernel)
        return matrix.view(-1, kernel.shape[3]).t().contiguous()

    def _spread(self, dmatrix: Tensor) -> Tensor:
        """The transpose of ``_sums``: the gradient by them to that by ``conv.matrix()``."""
        o, c = self.conv.weight.shape[:2]
        dkernel = dmatrix.new_zeros(*self.conv.kernel_size, o, c)
        for part in self._copies(dmatrix.t().view(*self.windows.kernel_size, o, c)):
            dkernel.add_(part)
        return dkernel.flip(0, 1).permute(2, 0, 1, 3).reshape(o, -1)  # (C_out, K1 K2 C_in)

    def _copies(self, matrix: Tensor) -> list[Tensor]:
        """Where the kernel lies in the one step's weights, for each of a pixel's ``s1 s2`` copies."""
        (k1, k2), (s1, s2) = self.conv.kernel_size, self.nearest.scale_factor
        return [matrix[i : i + k1, j : j + k2] for i in range(s1) for j in range(s2)]
