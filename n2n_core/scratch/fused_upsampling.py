"""Nearest-neighbour upsampling and a convolution of stride 1 as one operation, in two ways.

The upsampled map is never computed. Where several kernel entries meet copies of the same pixel, the
entries are summed beforehand. Maps are ``(N, H, W, C)``, kernels ``(K1, K2, C_in, C_out)``. Both
classes have the same methods:

- ``weights(kernel)``: the sums of kernel entries, and ``weights_backward``, its transpose;
- ``forward(x, weights, bias, size)``: the large map;
- ``backward(x, grad, weights)``: the gradients of the input and of ``weights``.
"""

from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor

from n2n_core.scratch.windows import MAX_ENTRIES, Pair, Windows


class SummedKernel:
    """A transposed convolution whose kernel entries are sums of the original kernel's entries.

    Each pixel is repeated ``s`` times along an axis, and each copy meets ``K`` taps. Together the copies
    contribute to ``T = K + s - 1`` adjacent outputs, for every pixel alike. So the operation is a transposed
    convolution with kernel ``T``, stride ``s`` and padding ``K - 1 - p``. For ``K = 3, s = 2`` its entries
    are ``w2, w1 + w2, w0 + w1, w0`` on each axis: 16 products per pixel of the small map instead of 36.
    """

    def __init__(self, kernel_size: Pair, scale: Pair, padding: Pair) -> None:
        (k1, k2), (s1, s2), (p1, p2) = kernel_size, scale, padding
        self.kernel_size, self.scale = kernel_size, scale
        self.windows = Windows((k1 + s1 - 1, k2 + s2 - 1), scale, (k1 - 1 - p1, k2 - 1 - p2), (1, 1))

    def weights(self, kernel: Tensor) -> Tensor:
        """Return the sums as a matrix ``(C_in, T1 T2 C_out)``."""
        kernel, (c, o) = kernel.flip(0, 1), kernel.shape[2:]
        sums = kernel.new_zeros(*self.windows.kernel_size, c, o)
        for part in self._copies(sums):
            part.add_(kernel)
        return sums.permute(2, 0, 1, 3).reshape(c, -1)

    def weights_backward(self, dweights: Tensor, channels: Pair) -> Tensor:
        """Return the gradient of the kernel, given that of ``weights``: the transpose of the summation."""
        c, o = channels
        dsums = dweights.view(c, *self.windows.kernel_size, o).permute(1, 2, 0, 3)
        dkernel = dsums.new_zeros(*self.kernel_size, c, o)
        for part in self._copies(dsums):
            dkernel.add_(part)
        return dkernel.flip(0, 1)

    def _copies(self, sums: Tensor) -> list[Tensor]:
        """Return the views of ``sums`` to which the flipped kernel is added, one for each copy of a pixel."""
        (k1, k2), (s1, s2) = self.kernel_size, self.scale
        return [sums[i : i + k1, j : j + k2] for i in range(s1) for j in range(s2)]

    def forward(self, x: Tensor, weights: Tensor, bias: Tensor, size: Pair) -> Tensor:
        """Return ``bias + windows^T(x W)``: ``(N, H, W, C_in)`` to ``(N, *size, C_out)``."""
        return self.windows.scatter(x, weights, bias, size)

    def backward(self, x: Tensor, grad: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``dx = windows(grad) W^T`` and ``dW = x^T windows(grad)``."""
        zero = x.new_zeros(x.shape[3])
        return self.windows.gather(grad, weights.t(), zero), self.windows.outer(x, grad)


class MinimalFiltering:
    """Scale 2, kernel 3 and padding 1 with 9 products per pixel, by differences of neighbouring pixels.

    On one axis, with ``S = w0 + w1 + w2``::

        y[2 i]     = S x[i] - w0 (x[i] - x[i-1])
        y[2 i + 1] = S x[i] + w2 (x[i+1] - x[i])

    These are three products, because both outputs share ``S x[i]``. On two axes there are 3 x 3 products,
    and each of the four outputs is a sum of 2 x 2 of them.

    Source of the idea: Winograd's minimal filtering (Lavin and Gray, arXiv:1509.09308).
    """

    def weights(self, kernel: Tensor) -> Tensor:
        """Return ``-w0, S, w2`` on both axes, the column axis first: ``(3, 3, C_in, C_out)``."""
        sums = kernel.new_empty(kernel.shape).copy_(kernel.transpose(0, 1))
        for axis in (0, 1):
            first, middle, last = sums.unbind(axis)
            middle.add_(first).add_(last)
            first.neg_()
        return sums

    def weights_backward(self, dweights: Tensor, channels: Pair) -> Tensor:
        """Return the gradient of the kernel, given that of ``weights``: the transpose of the summation."""
        dkernel = dweights.transpose(0, 1).clone()
        for axis in (0, 1):
            first, middle, last = dkernel.unbind(axis)
            first.neg_().add_(middle)
            last.add_(middle)
        return dkernel

    def forward(self, x: Tensor, weights: Tensor, bias: Tensor, size: Pair) -> Tensor:
        """Return the large map: ``(N, H, W, C_in)`` to ``(N, 2 H, 2 W, C_out)``."""
        (n, h, w, c), o = x.shape, len(bias)
        y = x.new_empty(n, h, 2, w, 2, o)
        for part, out in self._split(x, y):
            products = self._inputs(part).bmm(weights.view(9, c, o)).view(3, 3, len(part), h, w, o)
            columns = products[:2] + products[1:]
            columns[:, 1].add_(bias)
            phases = columns[:, :2] + columns[:, 1:]  # (2 columns, 2 rows, n, H, W, C_out)
            out.copy_(phases.permute(2, 3, 1, 4, 0, 5))
        return y.view(n, *size, o)

    def backward(self, x: Tensor, grad: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``dx`` and ``dW``: the transposes of the steps of ``forward``, in reverse order."""
        (n, h, w, c), o = x.shape, grad.shape[3]
        dx, dweights = x.new_empty(n, h, w, c), weights.new_zeros(9, c, o)
        grad = grad.view(n, h, 2, w, 2, o)
        for part, out, dy in self._split(x, dx, grad):
            dproducts = dy.new_zeros(3, 3, len(part), h, w, o)
            for a, b in product((0, 1), (0, 1)):
                dproducts[b : b + 2, a : a + 2].add_(dy[:, :, a, :, b])
            dproducts = dproducts.view(9, -1, o)
            dweights.baddbmm_(self._inputs(part).transpose(1, 2), dproducts)
            dinputs = dproducts.bmm(weights.view(9, c, o).transpose(1, 2))
            out.copy_(self._inputs_backward(dinputs.view(3, 3, len(part), h, w, c)))
        return dx, dweights.view(3, 3, c, o)

    def _inputs(self, x: Tensor) -> Tensor:
        """Return ``x[i] - x[i-1], x[i], x[i+1] - x[i]`` on both axes, ``(9, N H W, C)``; x is 0 outside."""
        n, h, w, c = x.shape
        padded = x.new_zeros(n, h + 2, w + 2, c)
        padded[:, 1:-1, 1:-1] = x
        middle = padded[:, 1:-1]
        rows = torch.cat([middle - padded[:, :-2], middle, padded[:, 2:] - middle])
        middle = rows[:, :, 1:-1]
        both = torch.cat([middle - rows[:, :, :-2], middle, rows[:, :, 2:] - middle])
        return both.view(9, -1, c)

    def _inputs_backward(self, dboth: Tensor) -> Tensor:
        """Apply the transpose of ``_inputs`` to ``(3, 3, N, H, W, C)``."""
        drows = dboth[0] + dboth[1] - dboth[2]
        drows[:, :, :, :-1].sub_(dboth[0, :, :, :, 1:])
        drows[:, :, :, 1:].add_(dboth[2, :, :, :, :-1])
        dx = drows[0] + drows[1] - drows[2]
        dx[:, :-1].sub_(drows[0, :, 1:])
        dx[:, 1:].add_(drows[2, :, :-1])
        return dx

    def _split(self, x: Tensor, *others: Tensor) -> Iterable[tuple[Tensor, ...]]:
        """Yield a few images at a time, of each argument."""
        length = max(1, MAX_ENTRIES // (18 * x.shape[1:].numel()))
        return zip(*(images.split(length) for images in (x, *others)), strict=True)  # type: ignore[no-untyped-call]


FusedUpsampling = SummedKernel | MinimalFiltering


def pick_fused_upsampling(kernel_size: Pair, scale: Pair, padding: Pair, channels: Pair) -> FusedUpsampling:
    """Return the faster way for these arguments. From 64 channels on, products take longer than sums."""
    if (kernel_size, scale, padding) == ((3, 3), (2, 2), (1, 1)) and min(channels) >= 64:
        return MinimalFiltering()
    return SummedKernel(kernel_size, scale, padding)
