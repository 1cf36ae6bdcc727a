"""The three matrix products of a convolution, over the windows of an image that a kernel sees.

Images are stored with the channels last, ``(N, H, W, C)``. The rows of a window are then contiguous
runs of pixels, and a matrix product with one row per pixel needs no copy of its input or output.
Layers pass on ``(N, C, H, W)`` views of that memory, which cost nothing. Other memory layouts are
accepted and copied.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from n2n_core.errors import ShapeError

Pair = tuple[int, int]
MAX_ENTRIES = 2**20
"""Window entries gathered at a time: few enough for the processor's cache, and to save memory."""


def pair(value: int | Pair) -> Pair:
    """Return a pair as it is, and an int ``k`` as ``(k, k)``."""
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise ShapeError("pair", "an argument", value, "an int, or one for each axis")
    return value[0], value[1]


def channels_last(x: Tensor) -> Tensor:
    """Turn ``(N, C, H, W)`` into a contiguous ``(N, H, W, C)``."""
    return x.permute(0, 2, 3, 1).contiguous()


def channels_first(x: Tensor) -> Tensor:
    """View ``(N, H, W, C)`` as ``(N, C, H, W)``, without a copy."""
    return x.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Windows:
    """The windows of a kernel: tap ``k`` of window ``i`` is pixel ``s i + d k - p``, on each axis.

    A *large* map ``(N, H, W, C)`` has one window for each pixel of a *small* map ``(N, H', W', C')``.
    ``windows(x)`` denotes the matrix ``(N H' W', K1 K2 C)`` with one window per row. It is never
    stored for a whole batch, only for a few images at a time.
    """

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def count(self, size: Pair) -> Pair:
        """Return the size of the small map: ``H' = (H + 2 p - d (K - 1) - 1) // s + 1``, on each axis."""
        h, w = ((size[i] - self._reach(i)) // self.stride[i] + 1 for i in (0, 1))
        return h, w

    def extent(self, count: Pair) -> Pair:
        """Return the smallest large map with ``count`` windows: ``H = (H' - 1) s + d (K - 1) + 1 - 2 p``."""
        h, w = ((count[i] - 1) * self.stride[i] + self._reach(i) for i in (0, 1))
        return h, w

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1 - 2 * self.padding[axis]

    def gather(self, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        """Return ``bias + windows(x) matrix``: ``(N, H, W, C)`` to ``(N, H', W', C')``, bias ``(C')``."""
        y = x.new_empty(len(x), *self.count((x.shape[1], x.shape[2])), len(bias)).copy_(bias)
        for part, view in self._parts(self._padded(x), y):
            part.view(-1, part.shape[3]).addmm_(view.reshape(-1, len(matrix)), matrix)
        return y

    def scatter(self, y: Tensor, matrix: Tensor, bias: Tensor, size: Pair) -> Tensor:
        """Return ``bias + windows^T(y matrix)``: ``(N, H', W', C')`` to ``(N, H, W, C)``, bias ``(C)``.

        This is the transpose of ``gather``: each window entry is added to the pixel that ``gather`` reads
        it from. Taps less than a stride apart never fall on the same pixel, so they are added in one
        operation: one addition if ``kernel_size = stride``, one for each tap if ``stride = 1``.
        """
        (k1, k2), (p1, p2) = self.kernel_size, self.padding
        padded = y.new_empty(len(y), size[0] + 2 * p1, size[1] + 2 * p2, len(bias)).copy_(bias)
        step1, step2 = (s if d == 1 else 1 for s, d in zip(self.stride, self.dilation, strict=True))
        for part, view in self._parts(padded, y):
            entries = (part.view(-1, part.shape[3]) @ matrix).view(view.shape)
            for k, m in product(range(0, k1, step1), range(0, k2, step2)):
                taps = (..., slice(k, k + step1), slice(m, m + step2), slice(None))
                view[taps].add_(entries[taps])
        return padded[:, p1 : p1 + size[0], p2 : p2 + size[1]]

    def outer(self, y: Tensor, x: Tensor) -> Tensor:
        """Return ``y^T windows(x)``, ``(C', K1 K2 C)``: the gradient of ``matrix`` in both other products."""
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
        """Yield a few images of the small map at a time, with their windows ``(n, H', W', K1, K2, C)``.

        The windows are a strided view of the padded large map, in which pixels occur several times.
        """
        image, row, pixel, channel = padded.stride()
        (s1, s2), (d1, d2) = self.stride, self.dilation
        shape = (len(y), *y.shape[1:3], *self.kernel_size, padded.shape[3])
        view = padded.as_strided(shape, (image, s1 * row, s2 * pixel, d1 * row, d2 * pixel, channel))
        length = max(1, MAX_ENTRIES // max(1, view.shape[1:].numel()))
        return zip(y.split(length), view.split(length), strict=True)  # type: ignore[no-untyped-call]
