"""Draw the figures of ``framework.md``: ``python docs/figures.py``.

What they show is computed by the framework itself: which pixels a window reads, which entries
of a kernel one step sums, and how a network learns with the right gradient and with a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import log
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from skimage import data
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule
from n2n_core.scratch import MSE, SGD, Conv2d, Upsampling, strided_autoencoder
from n2n_core.scratch.windows import Windows

FOLDER = Path(__file__).parent
CELL = 30
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7")  # Okabe and Ito: told apart by all eyes
STYLE = """
text { font: 13px sans-serif; fill: #24292f; text-anchor: middle }
.left { text-anchor: start } .bold { font-weight: bold } .small { font-size: 11px }
rect { stroke: #57606a; stroke-width: 1 } line, polyline { stroke: #57606a; fill: none }
.paper { stroke: none; fill: #ffffff }
"""

WINDOWS = (
    "forward: gather the windows, multiply by Wᵀ.",
    "dx: multiply the gradient by W, then scatter: add every entry back to the pixel",
    "that it was read from; pixel 12 lies in all four windows and collects four entries.",
)
FUSED = (
    "Output 3 meets x1 twice, through w0 and w1; output 4 once, through w0. Which entries meet a",
    "pixel depends only on where the output lies from it, so they are summed beforehand.",
)


def main() -> None:
    """Write the three figures."""
    write("windows.svg", 760, 330, windows())
    write("fused_upsampling.svg", 760, 330, fused_upsampling())
    write("swap.svg", 760, 330, swap())


def write(name: str, width: int, height: int, shapes: Iterable[str]) -> None:
    """Return an SVG file of ``shapes`` on a white background."""
    paper = f'<rect class="paper" width="{width}" height="{height}"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    lines = [head, f"<style>{STYLE}</style>", paper, *shapes, "</svg>"]
    (FOLDER / name).write_text("\n".join(lines) + "\n")


def windows() -> Iterable[str]:
    """Draw kernel 3, stride 2, on a map of 5 x 5 pixels: four windows, each a row of the matrix."""
    shape = Windows(kernel_size=(3, 3), stride=(2, 2), padding=(0, 0), dilation=(1, 1))
    pixels = torch.arange(25.0).view(1, 5, 5, 1)
    rows = shape.gather(pixels, torch.arange(9).view(9, 1).eq(torch.arange(9)).float(), torch.zeros(9))
    yield text(95, 25, "x, the large map", "bold")
    for index in range(25):
        yield cell(20 + index % 5 * CELL, 45 + index // 5 * CELL, str(index))
    for number, (top, left) in enumerate((i, j) for i in (0, 2) for j in (0, 2)):
        inset = 2 + 2 * number
        yield frame(20 + left * CELL, 45 + top * CELL, 3 * CELL, inset, COLOURS[number])
    yield text(355, 25, "windows(x): a row a window", "bold")
    for number, row in enumerate(rows.view(4, 9).tolist()):
        for place, value in enumerate(row):
            yield cell(220 + place * CELL, 60 + number * CELL, f"{value:.0f}", COLOURS[number])
    yield text(512, 120, "times", "small")
    yield text(575, 25, "Wᵀ", "bold")
    for index in range(9):
        yield cell(545, 45 + index * 20, f"w{index // 3}{index % 3}", height=20, width=60)
    yield text(625, 120, "=", "bold")
    yield text(690, 25, "y, the small map", "bold")
    for number in range(4):
        x, y = 660 + number % 2 * CELL, 90 + number // 2 * CELL
        yield cell(x, y, f"y{number}", COLOURS[number])
    for line, y in zip(WINDOWS, (265, 287, 309), strict=True):
        yield text(20, y, line, "left")


def fused_upsampling() -> Iterable[str]:
    """Nearest upsampling by 2 and a kernel of 3, on one axis, and the transposed convolution."""
    yield text(20, 25, "two steps", "bold left")
    yield text(20, 60, "small map", "left small")
    yield text(20, 130, "repeated", "left small")
    for index in range(4):
        x = 120 + index * 2 * CELL
        yield cell(x, 45, f"x{index}", COLOURS[index], width=2 * CELL)
        for copy in range(2):
            yield cell(x + copy * CELL, 115, f"x{index}", COLOURS[index])
    for tap in range(3):
        yield cell(120 + (3 + tap) * CELL, 150, f"w{tap}")
        yield cell(120 + (2 + tap) * CELL, 185, f"w{tap}")
    yield text(20, 165, "output 4 reads", "left small")
    yield text(20, 200, "output 3 reads", "left small")
    yield text(20, 235, "9 taps a pixel of the output, in two dimensions", "left small")
    yield text(420, 25, "one step", "bold left")
    yield text(420, 60, "small map", "left small")
    for index in range(4):
        yield cell(520 + index * 50, 45, f"x{index}", COLOURS[index], width=50)
    yield text(420, 130, "x1 adds", "left small")
    for place, sums in enumerate(entries()):
        yield cell(420 + place * 80, 150, sums, COLOURS[1], width=80)
        yield text(460 + place * 80, 195, f"to output {place + 1}", "small")
    yield text(420, 235, "16 taps a pixel of the small map: 4 a pixel of the output", "left small")
    for line, y in zip(FUSED, (285, 307), strict=True):
        yield text(20, y, line, "left")


def entries() -> list[str]:
    """Draw which of the kernel's three entries each of the four sums of a step uses, along a row."""
    layer = Upsampling(1, 1, (1, 3), scale_factor=(1, 2), padding=(0, 1), bias=False)
    columns = []
    for tap in range(3):
        layer.conv.weight.copy_(torch.arange(3).eq(tap).float().view(1, 1, 1, 3))
        x = torch.arange(4).eq(1).float().view(1, 1, 1, 4)
        columns.append(layer(x).flatten().tolist())
    return ["+".join(f"w{tap}" for tap in range(3) if columns[tap][place]) for place in range(1, 5)]


def swap() -> Iterable[str]:
    """Plot the training of report 2's network, with the right gradient and without the swap of channels."""
    right = errors()
    with without_swap():
        wrong = errors()
    left, top, width, height = 70, 40, 640, 220
    low, high = min(right + wrong) * 0.95, max(right + wrong)

    def share(value: float) -> float:
        return (log(high) - log(value)) / (log(high) - log(low))

    yield text(390, 20, "error to the clean pictures as report 2's network learns from noisy pairs", "bold")
    for tick in (0.004, 0.006, 0.01, 0.02, 0.04):
        if low < tick < high:
            y = top + height * share(tick)
            yield f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke-dasharray="2 4"/>'
            yield text(left - 25, y, f"{tick:g}", "small")
    for name, values, colour, place in (
        ("right gradient", right, COLOURS[2], 0), ("channels not swapped", wrong, COLOURS[3], 1)
    ):  # fmt: skip
        points = " ".join(
            f"{left + width * index / (len(values) - 1):.1f},{top + height * share(value):.1f}"
            for index, value in enumerate(values)
        )
        yield f'<polyline points="{points}" style="stroke: {colour}; stroke-width: 2"/>'
        yield f'<rect x="420" y="{50 + 24 * place}" width="16" height="8" fill="{colour}"/>'
        yield text(445, 54 + 24 * place, f"{name}: {values[-1]:.4f} at the end", "left")
    yield text(left, top + height + 15, "0", "small")
    yield text(left + width, top + height + 15, str(STEPS), "small")
    yield text(
        390,
        top + height + 30,
        "steps (SGD, rate 0.5, batch 16); mean squared error, the mean of 50 steps a point",
        "small",
    )


STEPS = 1500


def errors() -> list[float]:
    """Errors to the clean pictures, means of 50 steps, in training on point-sampled pairs of photos."""
    generator = Generator().manual_seed(0)
    pairs = list(noisy_pairs(generator, 512))
    network, loss = strided_autoencoder(generator=generator), MSE()
    optimizer, values = SGD(network.param(), lr=0.5), []
    for _ in range(STEPS):
        chosen = torch.randint(len(pairs), (16,), generator=generator).tolist()
        noisy, target, clean = (torch.stack([pairs[i][part] for i in chosen]) for part in range(3))
        output = network(noisy)
        values.append((output - clean).pow(2).mean().item())
        loss(output, target)
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()
    return torch.tensor(values).view(-1, 50).mean(1).tolist()


def noisy_pairs(generator: Generator, count: int) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """Two noisy pictures of 32 x 32 pixels and the clean one, by the course's rule."""
    photos = [
        torch.from_numpy(np.array(getattr(data, name)())).permute(2, 0, 1) / 255
        for name in ("astronaut", "coffee", "chelsea", "rocket")
    ]
    for index in range(count):
        crop, corruption = CourseRule().crop(photos[index % 4], generator)
        yield corruption(crop, generator), corruption(crop, generator), corruption.clean(crop)


@contextmanager
def without_swap() -> Iterator[None]:
    """The report's error, planted: every ``dx`` by weights whose channel axes are not exchanged."""

    def wrong(layer: Any, grad: Tensor) -> Tensor:
        conv = layer if isinstance(layer, Conv2d) else layer.conv
        right, backward = conv.weight, BACKWARD[type(layer)]
        conv.weight = right.transpose(0, 1).reshape(right.shape)
        try:
            return backward(layer, grad)
        finally:
            conv.weight = right

    with mock.patch.object(Conv2d, "backward", wrong), mock.patch.object(Upsampling, "backward", wrong):
        yield


BACKWARD: dict[type, Any] = {Conv2d: Conv2d.backward, Upsampling: Upsampling.backward}


def cell(
    x: float, y: float, label: str, fill: str = "#ffffff", width: float = CELL, height: float = CELL
) -> str:
    """A labelled box."""
    box = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}" fill-opacity="0.45"/>'
    return box + text(x + width / 2, y + height / 2, label, "small")


def frame(x: float, y: float, side: float, inset: float, colour: str) -> str:
    """A window's outline."""
    side -= 2 * inset
    place = f'x="{x + inset}" y="{y + inset}" width="{side}" height="{side}"'
    return f'<rect {place} fill="none" style="stroke: {colour}; stroke-width: 3"/>'


def text(x: float, y: float, label: str, kind: str = "") -> str:
    """A label, centred unless ``left``."""
    return f'<text x="{x}" y="{y:.1f}" dy="0.35em" class="{kind}">{label}</text>'


if __name__ == "__main__":
    main()
