"""Convolution as one matrix product over columns.

Every product here has one row a pixel, so its result lies in memory with the
channels last: ``(N, H, W, C)``. Tensors are handed on as ``(N, C, H, W)`` views
of that memory, which costs nothing, and the next layer reads whole pixels.
Any other memory layout is accepted, at the price of a copy.

Source of the arithmetic: Dumoulin and Visin, "A guide to convolution arithmetic
for deep learning" (arXiv:1603.07285).
"""

from typing import Any, Self

import torch
from torch import Generator, Tensor
from torch.nn.functional import fold, unfold

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module, Parameter

Pair = tuple[int, int]


def pair(value: int | Pair) -> Pair:
    """``3`` means ``(3, 3)``."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def pixels(x: Tensor) -> Tensor:
    """``(N, C, H, W)`` to ``(N, H, W, C)``, contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def planes(x: Tensor) -> Tensor:
    """``(N, H, W, C)`` to ``(N, C, H, W)``, without moving any memory."""
    return x.permute(0, 3, 1, 2)


class Conv2d(Module):
    r"""Two-dimensional cross-correlation, as ``torch.nn.Conv2d``.

    .. math:: y[n, o, i, j] = b[o] + \sum_{c, k, l} w[o, c, k, l] \;
              x[n, c, s_1 i + d_1 k - p_1, s_2 j + d_2 l - p_2]

    Shapes: ``(N, C_in, H, W)`` to ``(N, C_out, H', W')`` with
    ``H' = (H + 2 p - d (K - 1) - 1) // s + 1``. Arguments are ints or pairs.
    Weights and bias start uniform in ``+-sqrt(k)``, ``k = 1 / (C_in K1 K2)``.

    >>> Conv2d(3, 8, kernel_size=2, stride=2)(torch.empty(1, 3, 32, 48)).shape
    torch.Size([1, 8, 16, 24])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        bias: bool = True,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.dilation = pair(padding), pair(dilation)
        self._check_arguments()
        k1, k2 = self.kernel_size
        bound = (in_channels * k1 * k2) ** -0.5
        self.weight = torch.empty(out_channels, in_channels, k1, k2)
        self.weight.uniform_(-bound, bound, generator=generator)
        self.weight_grad = self.weight.new_zeros(self.weight.shape)
        self.bias: Tensor | None = None
        self.bias_grad: Tensor | None = None
        if bias:
            self.bias = torch.empty(out_channels).uniform_(-bound, bound, generator=generator)
            self.bias_grad = self.bias.new_zeros(self.bias.shape)
        self._saved: tuple[Tensor, torch.Size] | None = None

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Columns times weights: ``(N L, C K1 K2) @ (C K1 K2, C_out)``, ``L = H' W'``."""
        out_h, out_w = self._check_input(x)
        columns = self._patches(x) if self._is_patchwise else self._unfold(x)
        weight = self._weight_matrix()  # (C_out, C K1 K2)
        y = columns @ weight.t() if self.bias is None else self.bias.addmm(columns, weight.t())
        if self.training:
            self._saved = columns, x.shape
        return planes(y.view(len(x), out_h, out_w, self.out_channels))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        r"""With ``g`` the rows of ``grad``: ``dW = g^T columns``, ``db = sum g``, ``dcolumns = g W``.

        The product with ``W`` sums over the *output* channels and yields input
        channels; ``dx`` adds every column entry back to the pixel it was read from.
        """
        if self._saved is None:
            raise RuntimeError("Conv2d.backward needs a forward in training mode before it")
        (columns, shape), self._saved = self._saved, None
        n, _, out_h, out_w = grad.shape
        rows = pixels(grad).view(-1, self.out_channels)  # (N L, C_out)
        self._add_weight_grad(rows.t() @ columns)
        if self.bias_grad is not None:
            self.bias_grad += rows.sum(0)
        dcolumns = rows @ self._weight_matrix()  # (N L, C K1 K2)
        dcolumns = dcolumns.view(n, out_h * out_w, columns.shape[1])
        return (self._unpatch if self._is_patchwise else self._fold)(dcolumns, shape)

    # Columns of any convolution: entries ordered (C, K1, K2), as unfold gives them.

    def _unfold(self, x: Tensor) -> Tensor:
        columns = unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)
        return columns.transpose(1, 2).reshape(-1, columns.shape[1])  # (N L, C K1 K2)

    def _fold(self, dcolumns: Tensor, shape: torch.Size) -> Tensor:
        dcolumns = dcolumns.transpose(1, 2)  # (N, C K1 K2, L)
        return fold(dcolumns, shape[2:], self.kernel_size, self.dilation, self.padding, self.stride)

    # Columns where kernel = stride, without padding: the input cut into patches that
    # do not overlap, so no unfold and no fold. Entries ordered (K1, K2, C).

    @property
    def _is_patchwise(self) -> bool:
        undilated = all(d == 1 or k == 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return self.kernel_size == self.stride and self.padding == (0, 0) and undilated

    def _patches(self, x: Tensor) -> Tensor:
        (n, c, h, w), (k1, k2) = x.shape, self.kernel_size
        x = pixels(x)[:, : h // k1 * k1, : w // k2 * k2]  # rows past the last patch are never read
        x = x.reshape(n, h // k1, k1, w // k2, k2, c).transpose(2, 3)
        return x.reshape(-1, k1 * k2 * c)

    def _unpatch(self, dcolumns: Tensor, shape: torch.Size) -> Tensor:
        (n, c, h, w), (k1, k2) = shape, self.kernel_size
        covered_h, covered_w = h // k1 * k1, w // k2 * k2
        dx = dcolumns.view(n, h // k1, w // k2, k1, k2, c).transpose(2, 3)
        dx = dx.reshape(n, covered_h, covered_w, c)
        if (covered_h, covered_w) != (h, w):
            whole = dx.new_zeros(n, h, w, c)
            whole[:, :covered_h, :covered_w] = dx
            dx = whole
        return planes(dx)

    def _weight_matrix(self) -> Tensor:
        """The weights as ``(C_out, C K1 K2)``, in the order of the columns' entries."""
        weight = self.weight.permute(0, 2, 3, 1) if self._is_patchwise else self.weight
        return weight.reshape(self.out_channels, -1)

    def _add_weight_grad(self, matrix: Tensor) -> None:
        o, c, (k1, k2) = self.out_channels, self.in_channels, self.kernel_size
        if self._is_patchwise:
            self.weight_grad += matrix.view(o, k1, k2, c).permute(0, 3, 1, 2)
        else:
            self.weight_grad += matrix.view(o, c, k1, k2)

    def param(self) -> list[Parameter]:
        pairs = [[self.weight, self.weight_grad]]
        if self.bias is not None and self.bias_grad is not None:
            pairs.append([self.bias, self.bias_grad])
        return pairs

    def to(self, *args: Any, **kwargs: Any) -> Self:
        self.weight, self.weight_grad = (t.to(*args, **kwargs) for t in (self.weight, self.weight_grad))
        if self.bias is not None and self.bias_grad is not None:
            self.bias, self.bias_grad = (t.to(*args, **kwargs) for t in (self.bias, self.bias_grad))
        return self

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        named = {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})
        return {prefix + name: tensor for name, tensor in named.items()}

    def _check_arguments(self) -> None:
        least = {
            "in_channels": 1,
            "out_channels": 1,
            "kernel_size": 1,
            "stride": 1,
            "padding": 0,
            "dilation": 1,
        }
        for name, low in least.items():
            value = getattr(self, name)
            if min(value if isinstance(value, tuple) else (value,)) < low:
                raise ShapeError("Conv2d", name, value, f"at least {low}")

    def _check_input(self, x: Tensor) -> Pair:
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            expected = f"(N, {self.in_channels}, H, W)"
            raise ShapeError("Conv2d", "the input's shape", tuple(x.shape), expected)
        size = [
            (x.shape[2 + i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel_size[i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in (0, 1)
        ]
        if min(size) < 1:
            expected = f"enough for kernel {self.kernel_size}, dilation {self.dilation}"
            raise ShapeError("Conv2d", "the input's height and width", tuple(x.shape[2:]), expected)
        return size[0], size[1]
