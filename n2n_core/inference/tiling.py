"""Exact tiling: run a network on tiles and get the result for the whole image.

A pixel of the output depends on a bounded neighbourhood in the input. If each tile has that much context (the
halo) and starts at a multiple of the network's total stride (the period), the inner parts of the tiles equal
the output for the whole image. Both numbers are derived from the layers' arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from n2n_core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from n2n_core.models.torch_modules import Network

LAYERS = ("kernel_size", "scale_factor", "upscale_factor")
"""Attributes of the layers that move pixels: convolutions, upsamplings, pixel shuffles."""

Images = TypeVar("Images", "NDArray[np.float32]", "Tensor")
Span = tuple[int, int]
WINDOW = 128
"""Tile side in pixels on a CPU: the fastest measured (``python -m benchmarks.tiling``)."""

WIDE = 6
"""Smallest tile side in halos: at most 5 in 9 of its pixels are context."""

BATCH_PIXELS = 4 * WINDOW**2
"""Pixels to run at once on a CPU. Bounds the memory, whatever the image's size."""

TOLERANCE = 1.1
"""Factor by which a window may exceed the requested size if that saves a window."""


@dataclass(frozen=True)
class Geometry:
    """Requirements of a network on the images that it runs on.

    Args:
        period: heights, widths and tile origins must be multiples of this.
        halo: how far, in pixels, an aligned block of ``period`` output pixels depends on the input beyond
            its ends, rounded up to a multiple of the period.
        minimum: smallest height and width.
    """

    period: int
    halo: int
    minimum: int

    def window(self, usual: int = WINDOW) -> int:
        """Return the tile side: ``usual``, or more if most of such a tile would be context."""
        return max(usual, WIDE * self.halo)

    def fit(self, length: int) -> int:
        """Return the smallest allowed length that is at least ``length``."""
        return ceil(max(length, self.minimum) / self.period) * self.period


@dataclass
class Throughput:
    """Speed of a denoiser, and the tile and batch sizes that reach it; measured by ``Denoiser.calibrate``.

    Args:
        window: side in pixels of the tiles that large images are cut into.
        sweet_pixels: size of the smallest batch whose speed is within a tenth of the best.
        seconds_per_pixel: time for such batches on all cores.
    """

    window: int = WINDOW
    sweet_pixels: int = BATCH_PIXELS
    seconds_per_pixel: float = 1e-6

    def learn(self, pixels: int, seconds: float) -> None:
        """Update ``seconds_per_pixel`` with a batch's time, as a running mean."""
        self.seconds_per_pixel += 0.05 * (seconds / pixels - self.seconds_per_pixel)


def geometry(network: Network) -> Geometry:
    """Derive a network's geometry from its layers, which must be in the order of their application.

    >>> from n2n_core.models.architectures import MODELS
    >>> geometry(MODELS["torch"].build())
    Geometry(period=1, halo=4, minimum=5)
    >>> geometry(MODELS["scratch"].build())
    Geometry(period=4, halo=4, minimum=4)
    """
    layers = [m for m in network.modules() if any(hasattr(m, name) for name in LAYERS)]
    by_axis = [[_AxisLayer.of(layer, axis) for layer in layers] for axis in (0, 1)]
    period = max(_period(axis) for axis in by_axis)
    reach = max(_reach(axis, period) for axis in by_axis)
    minimum = max(_minimum(axis, period) for axis in by_axis)
    return Geometry(period, ceil(reach / period) * period, minimum)


@dataclass(frozen=True)
class _AxisLayer:
    """One layer along one axis. A ``scale`` above 1 is nearest-neighbour upsampling."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    transposed: bool = False
    scale: int = 1

    @classmethod
    def of(cls, layer: Any, axis: int) -> _AxisLayer:
        if hasattr(layer, "scale_factor"):
            return cls(scale=int(layer.scale_factor[axis]))  # torch.nn's are floats
        if hasattr(layer, "upscale_factor"):
            return cls(scale=layer.upscale_factor)  # a pixel shuffle reads what nearest upsampling reads
        kernel, stride, padding, dilation = (
            getattr(layer, name)[axis] for name in ("kernel_size", "stride", "padding", "dilation")
        )
        return cls(kernel, stride, padding, dilation, getattr(layer, "transposed", False))

    @property
    def zoom(self) -> Fraction:
        """Output size divided by input size, without borders."""
        return Fraction(self.stride if self.transposed else self.scale, 1 if self.transposed else self.stride)

    def read(self, span: Span) -> Span:
        """Return the input indices that the outputs ``first .. last`` depend on."""
        first, last = span
        width = self.dilation * (self.kernel - 1)
        if self.transposed:
            first, last = first + self.padding - width, last + self.padding
            return ceil(Fraction(first, self.stride)), last // self.stride
        first, last = first // self.scale, last // self.scale
        return first * self.stride - self.padding, last * self.stride - self.padding + width

    def size(self, length: int) -> int:
        """Return the output size for an input of ``length``."""
        width = self.dilation * (self.kernel - 1)
        if self.transposed:
            return (length - 1) * self.stride - 2 * self.padding + width + 1
        return (length * self.scale + 2 * self.padding - width - 1) // self.stride + 1


def _period(layers: list[_AxisLayer]) -> int:
    zoom, period = Fraction(1), 1
    for layer in layers:
        zoom *= layer.zoom
        period = max(period, zoom.denominator)
    if zoom != 1:
        raise ConfigError(f"the network scales images by {zoom}, expected an output of the input's size")
    return period


def _reach(layers: list[_AxisLayer], period: int) -> int:
    """Return how far, in pixels, one period of the output depends on the input beyond its ends."""
    span = (0, period - 1)
    for layer in reversed(layers):
        span = layer.read(span)
    return max(-span[0], span[1] - (period - 1), 0)


def _minimum(layers: list[_AxisLayer], period: int) -> int:
    length = period
    while not _fits(layers, length):
        length += period
    return length


def _fits(layers: list[_AxisLayer], length: int) -> bool:
    for layer in layers:
        length = layer.size(length)
        if length < 1:
            return False
    return True


def pad(images: Images, shape: Geometry) -> Images:
    """Extend ``(..., H, W)`` at the bottom and right, by reflection, to a size that fits."""
    return reflect(images, shape.fit(images.shape[-2]), shape.fit(images.shape[-1]))


def reflect(images: Images, rows: int, columns: int) -> Images:
    """Extend ``(..., H, W)`` at the bottom and right, by reflection, to ``(..., rows, columns)``."""
    height, width = images.shape[-2:]
    if rows != height:
        images = images[..., _reflection(height, rows), :]
    if columns != width:
        images = images[..., _reflection(width, columns)]
    return images


def _reflection(length: int, target: int) -> list[int]:
    """Return ``target`` indices from 0 that bounce between 0 and ``length - 1``."""
    turn = max(2 * (length - 1), 1)
    return [min(index % turn, turn - index % turn) if length > 1 else 0 for index in range(target)]


@dataclass(frozen=True)
class Tile:
    """A window of the image, and the part of it whose result is exact.

    Args:
        window: rows and columns of the image that the network reads.
        inner: the exact part, in coordinates of the window.
        place: the exact part, in coordinates of the image.
    """

    window: tuple[slice, slice]
    inner: tuple[slice, slice]
    place: tuple[slice, slice]

    @property
    def pixels(self) -> int:
        """Number of pixels that the network reads."""
        rows, columns = self.window
        return int((rows.stop - rows.start) * (columns.stop - columns.start))


def tiles(height: int, width: int, shape: Geometry, window: int) -> Iterator[Tile]:
    """Yield tiles of one size that cover an image: about ``window``, or the image's size if smaller.

    ``height`` and ``width`` fit ``shape``. Windows stop at the image's border, so that the
    border looks to the network as it does in the whole image.
    """
    for row in _cut(height, shape, window):
        for column in _cut(width, shape, window):
            yield Tile(*zip(row, column, strict=True))


def _cut(length: int, shape: Geometry, window: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield windows along one axis: what is read, its exact part, and that part's place."""
    size, done = _balanced(length, shape, window), 0
    while done < length:
        start = min(max(done - shape.halo, 0), length - size)
        end = length if start + size == length else start + size - shape.halo
        yield slice(start, start + size), slice(done - start, end - start), slice(done, end)
        done = end


def _balanced(length: int, shape: Geometry, window: int) -> int:
    """Return the size, about ``window``, of windows that cover ``length`` with the least overlap.

    Three windows of 128 on a length of 256 would do a third of the work twice; two of 132 do not.
    """
    context = 2 * shape.halo
    window = max(window, context + shape.period)
    count = max(1, ceil((length - context) / (TOLERANCE * window - context)))
    return min(shape.fit(ceil((length - context) / count) + context), length)


def run(
    network: Callable[[Tensor], Tensor], images: Tensor, shape: Geometry, window: int, batch_pixels: int
) -> Tensor:
    """Run ``network`` on ``(N, C, H, W)`` images of any size, tile by tile.

    Args:
        window: side of the tiles in pixels, context included.
        batch_pixels: tiles are run together up to this many pixels, at least one at a time.
    """
    import torch  # here, as cutting pictures into tiles for another process does not need it

    height, width = images.shape[-2:]
    padded = pad(images, shape)
    cover = list(tiles(padded.shape[-2], padded.shape[-1], shape, window))
    jobs = [(n, tile) for tile in cover for n in range(len(padded))]
    output = padded.new_empty(padded.shape)
    size = max(1, batch_pixels // cover[0].pixels)
    for begin in range(0, len(jobs), size):
        batch = jobs[begin : begin + size]
        results = network(torch.stack([padded[n][:, tile.window[0], tile.window[1]] for n, tile in batch]))
        for (n, tile), result in zip(batch, results, strict=True):
            output[n][:, tile.place[0], tile.place[1]] = result[:, tile.inner[0], tile.inner[1]]
    return output[..., :height, :width]
