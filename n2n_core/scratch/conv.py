"""Convolution and transposed convolution: the same matrix, used in opposite directions.

A convolution multiplies each window of a large map by a matrix, which gives one pixel of a small map.
Its derivative with respect to the input multiplies by the transposed matrix, and adds the results
back into the windows. A transposed convolution does the same two things in the opposite order.

Source of the arithmetic: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning"
(arXiv:1603.07285).
"""

from typing import Any, Self

import torch
from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module, Parameter
from n2n_core.scratch.windows import Pair, Windows, channels_first, channels_last, pair


class Convolution(Module):
    """Base class of both convolutions: arguments, weights, bias and their gradients.

    Weights have the shape ``(C_small, C_large, K1, K2)``, where ``C_large`` are the channels of the map
    that has windows (the input of ``Conv2d``, the output of ``ConvTranspose2d``). Weights and bias are
    initialised uniformly in ``[-sqrt(k), sqrt(k)]``, ``k = 1 / (C_large K1 K2)``, as in ``torch.nn``.
    """

    transposed = False

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
        self.windows = Windows(self.kernel_size, self.stride, self.padding, self.dilation)
        small, large = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        weight = torch.empty(small, large, *self.kernel_size)
        bound = weight[0].numel() ** -0.5
        self.weight = channels_first(channels_last(weight.uniform_(-bound, bound, generator=generator)))
        self.weight_grad = self.weight * 0  # in the same memory layout
        self.bias = torch.empty(out_channels).uniform_(-bound, bound, generator=generator) if bias else None
        self.bias_grad = None if self.bias is None else self.bias * 0

    def matrix(self) -> Tensor:
        """Return the weights as ``(C_small, K1 K2 C_large)``, a view if their channels lie last in memory."""
        return self.weight.permute(0, 2, 3, 1).reshape(len(self.weight), -1)

    def add_gradients(self, matrix: Tensor, grad: Tensor) -> None:
        """Add the gradient of the matrix, and that of the bias: the sum of ``grad`` over all pixels."""
        k1, k2 = self.kernel_size
        self.weight_grad += channels_first(matrix.view(len(self.weight), k1, k2, -1))
        if self.bias_grad is not None:
            self.bias_grad += grad.sum((0, 1, 2))

    def bias_or_zeros(self) -> Tensor:
        """Return the bias, ``(C_out)``, or zeros if there is none."""
        return self.weight.new_zeros(self.out_channels) if self.bias is None else self.bias

    def output_size(self, size: Pair) -> Pair:
        """Return height and width of the output for an input of ``size``."""
        return self.windows.extent(size) if self.transposed else self.windows.count(size)

    def begin_forward(self, x: Tensor, scale: Pair = (1, 1)) -> tuple[Tensor, Pair]:
        """Check and save the input, and return it as ``(N, H, W, C)`` with the size of the output.

        ``scale`` is the factor by which the input is upsampled before the convolution.

        Raises:
            ShapeError: the input is not ``(N, C_in, H, W)``, or too small for the kernel.
        """
        name, size = type(self).__name__, tuple(x.shape[2:])
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(name, "the input's shape", tuple(x.shape), f"(N, {self.in_channels}, H, W)")
        output = self.output_size((scale[0] * size[0], scale[1] * size[1]))
        if min(*size, *output) < 1:
            kernel = f"kernel {self.kernel_size}, padding {self.padding}, dilation {self.dilation}"
            raise ShapeError(name, "the input's height and width", size, f"enough for {kernel}")
        x = channels_last(x)
        self.save_for_backward(x)
        return x, output

    def begin_backward(self, grad: Tensor, scale: Pair = (1, 1)) -> tuple[Tensor, Tensor]:
        """Return the saved input and the checked gradient of the output, both as ``(N, H, W, C)``."""
        (x,) = self.saved_tensors()
        size = self.output_size((scale[0] * x.shape[1], scale[1] * x.shape[2]))
        return x, channels_last(self.check_grad(grad, (len(x), self.out_channels, *size)))

    def param(self) -> list[Parameter]:
        pairs = [[self.weight, self.weight_grad]]
        if self.bias is not None and self.bias_grad is not None:
            pairs.append([self.bias, self.bias_grad])
        return pairs

    def to(self, *args: Any, **kwargs: Any) -> Self:
        for name in ("weight", "weight_grad", "bias", "bias_grad"):
            if (tensor := getattr(self, name)) is not None:
                setattr(self, name, tensor.to(*args, **kwargs))
        return self

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        named = {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})
        return {prefix + name: tensor for name, tensor in named.items()}

    def _check_arguments(self) -> None:
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
        for name in names:
            value, low = getattr(self, name), 0 if name == "padding" else 1
            if min(value if isinstance(value, tuple) else (value,)) < low:
                raise ShapeError(type(self).__name__, name, value, f"at least {low}")


class Conv2d(Convolution):
    r"""Two-dimensional cross-correlation, the same function as ``torch.nn.Conv2d``.

    .. math:: y[n, o, i, j] = b[o] + \sum_{c, k, l} w[o, c, k, l] \;
              x[n, c, s_1 i + d_1 k - p_1, s_2 j + d_2 l - p_2]

    Shapes: ``(N, C_in, H, W)`` to ``(N, C_out, H', W')`` with
    ``H' = (H + 2 p - d (K - 1) - 1) // s + 1``. Kernel size, stride, padding and dilation are ints or
    pairs (rows, columns).

    >>> Conv2d(3, 8, kernel_size=2, stride=2)(torch.empty(1, 3, 32, 48)).shape
    torch.Size([1, 8, 16, 24])
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``y = b + windows(x) W^T``: ``(N L, K1 K2 C_in) @ (K1 K2 C_in, C_out)``, ``L = H' W'``."""
        x, _ = self.begin_forward(x)
        return channels_first(self.windows.gather(x, self.matrix().t(), self.bias_or_zeros()))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Add ``dW = grad^T windows(x)`` and ``db = sum grad``, and return ``dx = windows^T(grad W)``.

        The product with ``W`` sums over the *output* channels and gives input channels.
        """
        x, grad = self.begin_backward(grad)
        self.add_gradients(self.windows.outer(grad, x), grad)
        zero = x.new_zeros(self.in_channels)
        return channels_first(self.windows.scatter(grad, self.matrix(), zero, (x.shape[1], x.shape[2])))


class ConvTranspose2d(Convolution):
    r"""Transposed convolution, the same function as ``torch.nn.ConvTranspose2d``: each pixel adds a window.

    .. math:: y[n, o, s_1 i + d_1 k - p_1, s_2 j + d_2 l - p_2] \mathrel{+}= w[c, o, k, l] \; x[n, c, i, j]

    Shapes: ``(N, C_in, H, W)`` to ``(N, C_out, H', W')`` with
    ``H' = (H - 1) s - 2 p + d (K - 1) + 1``. The arguments, and their order, are those of ``Conv2d``.

    >>> ConvTranspose2d(8, 3, kernel_size=2, stride=2)(torch.empty(1, 8, 16, 24)).shape
    torch.Size([1, 3, 32, 48])
    """

    transposed = True

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``y = b + windows^T(x W)``: ``(N L, C_in) @ (C_in, K1 K2 C_out)``, ``L = H W``."""
        x, size = self.begin_forward(x)
        return channels_first(self.windows.scatter(x, self.matrix(), self.bias_or_zeros(), size))

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Add ``dW = x^T windows(grad)`` and ``db = sum grad``, and return ``dx = windows(grad) W^T``.

        ``dx`` is the forward pass of ``Conv2d`` with the same matrix.
        """
        x, grad = self.begin_backward(grad)
        self.add_gradients(self.windows.outer(x, grad), grad)
        return channels_first(self.windows.gather(grad, self.matrix().t(), x.new_zeros(self.in_channels)))
