"""The three products that convolutions are made of, over the windows that a kernel sees of an image.

Images lie in memory with the channels last, ``(N, H, W, C)``: a window's rows are then runs of
whole pixels, and a product with one row a pixel reads and writes them as they lie. Layers hand
tensors on as ``(N, C, H, W)`` views of that memory, which costs nothing; any other layout is
accepted, at the price of a copy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from n2n_core.errors import ShapeError

Pair = tuple[int, int]
PART = 2**20
"""Window entries that are held at once: they stay in the processor's cache, and memory small."""


def pair(value: int | Pair) -> Pair:
    """``3`` means ``(3, 3)``."""
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise ShapeError("pair", "an argument", value, "an int, or one for each axis")
    return value[0], value[1]


def pixels(x: Tensor) -> Tensor:
    """``(N, C, H, W)`` to ``(N, H, W, C)``, contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def planes(x: Tensor) -> Tensor:
    """``(N, H, W, C)`` to ``(N, C, H, W)``, without moving any memory."""
    return x.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Windows:
    """Where a kernel's taps lie: tap ``k`` of window ``i`` is pixel ``s i + d k - p``, on both axes.

    A *large* map ``(N, H, W, C)`` has windows, one for each pixel of a *small* map
    ``(N, H', W', C')``; ``windows(x)`` is the matrix ``(N H' W', K1 K2 C)`` with a row for each. It
    is not held as a whole for a whole batch: a few images at a time go through it.
    """

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def count(self, size: Pair) -> Pair:
        """The small map's size: ``H' = (H + 2 p - d (K - 1) - 1) // s + 1``, on both axes."""
        h, w = ((size[i] - self._reach(i)) // self.stride[i] + 1 for i in (0, 1))
        return h, w

    def extent(self, count: Pair) -> Pair:
        """The smallest large map with ``count`` windows: ``H = (H' - 1) s + d (K - 1) + 1 - 2 p``."""
        h, w = ((count[i] - 1) * self.stride[i] + self._reach(i) for i in (0, 1))
        return h, w

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1 - 2 * self.padding[axis]

    def gather(self, x: Tensor, matrix: Tensor, start: Tensor) -> Tensor:
        """``start + windows(x) matrix``: ``(N, H, W, C)`` to ``(N, H', W', C')``, ``start`` ``(C')``."""
        y = x.new_empty(len(x), *self.count((x.shape[1], x.shape[2])), len(start)).copy_(start)
        for part, view in self._parts(self._padded(x), y):
            part.view(-1, part.shape[3]).addmm_(view.reshape(-1, len(matrix)), matrix)
        return y

    def scatter(self, y: Tensor, matrix: Tensor, start: Tensor, size: Pair) -> Tensor:
        """``start + windows^T(y matrix)``, ``gather`` transposed: ``(N, H', W', C')`` to ``(N, H, W, C)``.

        Every window entry is added to the pixel that it would be read from. Taps less than a
        stride apart never meet on a pixel, so they are added together: ``kernel_size = stride``
        takes one addition, ``stride = 1`` one a tap.
        """
        (k1, k2), (p1, p2) = self.kernel_size, self.padding
        padded = y.new_empty(len(y), size[0] + 2 * p1, size[1] + 2 * p2, len(start)).copy_(start)
        step1, step2 = (s if d == 1 else 1 for s, d in zip(self.stride, self.dilation, strict=True))
        for part, view in self._parts(padded, y):
            entries = (part.view(-1, part.shape[3]) @ matrix).view(view.shape)
            for k, m in product(range(0, k1, step1), range(0, k2, step2)):
                taps = (..., slice(k, k + step1), slice(m, m + step2), slice(None))
                view[taps].add_(entries[taps])
        return padded[:, p1 : p1 + size[0], p2 : p2 + size[1]]

    def outer(self, y: Tensor, x: Tensor) -> Tensor:
        """``y^T windows(x)``, ``(C', K1 K2 C)``: the gradient by the matrix of both the others."""
        total = x.new_zeros(y.shape[3], self.kernel_size[0] * self.kernel_size[1] * x.shape[3])
        for part, view in self._parts(self._padded(x), y):
            total.addmm_(part.view(-1, part.shape[3]).t(), view.reshape(-1, total.shape[1]))
        return total

    def _padded(self, x: Tensor) -> Tensor:
        (n, h, w, c), (p1, p2) = x.shape, self.padding
        if not (p1 or p2):
            return x
        padded = x.new_zeros(n, h + 2 * p1, w + 2 * p2, c)
        padded[:, p1 : p1 + h, p2 : p2 + w] = x
        return padded

    def _parts(self, padded: Tensor, y: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
        """A few images of the small map at a time, with their windows ``(n, H', W', K1, K2, C)``.

        The windows are a view of the padded large map: they overlap, so pixels occur several times.
        """
        image, row, pixel, channel = padded.stride()
        (s1, s2), (d1, d2) = self.stride, self.dilation
        shape = (len(y), *y.shape[1:3], *self.kernel_size, padded.shape[3])
        view = padded.as_strided(shape, (image, s1 * row, s2 * pixel, d1 * row, d2 * pixel, channel))
        length = max(1, PART // max(1, view.shape[1:].numel()))
        return zip(y.split(length), view.split(length), strict=True)  # type: ignore[no-untyped-call]
