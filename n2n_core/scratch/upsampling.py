"""Nearest-neighbour upsampling, alone and followed by a convolution."""

import torch
from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.conv import Conv2d, Pair, pair, pixels, planes
from n2n_core.scratch.module import Module


class NearestUpsampling(Module):
    """Repeat every pixel ``scale_factor`` times in both directions.

    Shapes: ``(N, C, H, W)`` to ``(N, C, s1 H, s2 W)``.

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

    Arguments are those of ``Conv2d``, and ``scale_factor``. For ``scale_factor`` 2,
    kernel 3 and padding 1 (report 2's) both steps run as one, by phase kernels.

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
        self.has_phases = (
            self.nearest.scale_factor == (2, 2)
            and self.conv.kernel_size == (3, 3)
            and self.conv.padding == self.conv.stride == self.conv.dilation == (1, 1)
        )
        self._saved: tuple[Tensor, torch.Size] | None = None

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``conv(nearest(x))``."""
        return self._phases_forward(x) if self.has_phases else self.conv(self.nearest(x))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """The two backward passes, in reverse order."""
        if self.has_phases:
            return self._phases_backward(grad)
        return self.nearest.backward(self.conv.backward(grad))

    # Phase kernels. A 3x3 window on the upsampled map sees only a 2x2 window of the small
    # one, and which of its three taps fall on the same small pixel depends only on the
    # parity (phase) of the output pixel, in each direction:
    #     phase 0 reads (w0) and (w1 + w2);  phase 1 reads (w0 + w1) and (w2).
    # So four 2x2 kernels on the small map give the four phases: 4 taps instead of 9,
    # and the upsampled map is never built. They share their windows, hence one product.

    def _phases_forward(self, x: Tensor) -> Tensor:
        self.conv._check_input(x)
        (n, c, h, w), o = x.shape, self.conv.out_channels
        padded = x.new_zeros(n, h + 2, w + 2, c)
        padded[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
        columns = x.new_empty(n, h + 1, w + 1, 2, 2, c)
        for p, q in QUADRANTS:
            columns[:, :, :, p, q] = padded[:, p : p + h + 1, q : q + w + 1]
        columns = columns.view(-1, 4 * c)  # (N (h + 1) (w + 1), 4 C)
        z = (columns @ self._phase_matrix().t()).view(n, h + 1, w + 1, 2, 2, o)
        y = x.new_empty(n, h, 2, w, 2, o)
        for a, b in QUADRANTS:  # phase (a, b) of pixel (i, j) looks through window (i + a, j + b)
            y[:, :, a, :, b] = z[:, a : a + h, b : b + w, a, b]
        if self.conv.bias is not None:
            y += self.conv.bias
        if self.training:
            self._saved = columns, x.shape
        return planes(y.view(n, 2 * h, 2 * w, o))

    def _phases_backward(self, grad: Tensor) -> Tensor:
        if self._saved is None:
            raise RuntimeError("Upsampling.backward needs a forward in training mode before it")
        (columns, (n, c, h, w)), self._saved = self._saved, None
        o = self.conv.out_channels
        dy = pixels(grad)
        if self.conv.bias_grad is not None:
            self.conv.bias_grad += dy.view(-1, o).sum(0)
        dy = dy.view(n, h, 2, w, 2, o)
        dz = grad.new_zeros(n, h + 1, w + 1, 2, 2, o)
        for a, b in QUADRANTS:
            dz[:, a : a + h, b : b + w, a, b] = dy[:, :, a, :, b]
        dz = dz.view(-1, 4 * o)  # (N (h + 1) (w + 1), 4 O)
        self._add_phase_grad(dz.t() @ columns)
        dcolumns = (dz @ self._phase_matrix()).view(n, h + 1, w + 1, 2, 2, c)
        dpadded = grad.new_zeros(n, h + 2, w + 2, c)
        for p, q in QUADRANTS:
            dpadded[:, p : p + h + 1, q : q + w + 1] += dcolumns[:, :, :, p, q]
        return planes(dpadded[:, 1:-1, 1:-1])

    def _taps(self) -> Tensor:
        """``(4, 3)``: row ``2 phase + tap`` says which of the three weights it sums."""
        return self.conv.weight.new_tensor([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]])

    def _phase_matrix(self) -> Tensor:
        """The four 2x2 kernels as ``(4 C_out, 4 C_in)``: rows (a, b, o), columns (p, q, c)."""
        taps, weight = self._taps(), self.conv.weight
        o, c = weight.shape[:2]
        kernels = (taps @ weight @ taps.t()).view(o, c, 2, 2, 2, 2)  # (O, C, a, p, b, q)
        return kernels.permute(2, 4, 0, 3, 5, 1).reshape(4 * o, 4 * c)

    def _add_phase_grad(self, matrix: Tensor) -> None:
        """The transpose of ``_phase_matrix``, from its gradient to the 3x3 weights'."""
        taps, (o, c) = self._taps(), self.conv.weight.shape[:2]
        kernels = matrix.view(2, 2, o, 2, 2, c).permute(2, 5, 0, 3, 1, 4).reshape(o, c, 4, 4)
        self.conv.weight_grad += taps.t() @ kernels @ taps


QUADRANTS = ((0, 0), (0, 1), (1, 0), (1, 1))
