"""Draw a contact sheet: one row per picture, one column per method, cropped where there is detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from n2n_core.evaluation.batches import Batch
from n2n_core.evaluation.compare import Outputs
from n2n_core.metrics.psnr import psnr

CROP = 128
"""Side of a crop in pixels; for smaller pictures, their shorter side."""

CELL = 256
"""Side of a cell on the sheet. Crops are enlarged by a whole number."""

GAP, HEAD, LABEL = 12, 44, 30
ROWS = 6
INK, FAINT, BEST = (34, 34, 34), (120, 120, 120), (0, 110, 60)
CLEAN = "clean"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Cell:
    """A crop, ``(side, side, 3)``, and the PSNR of the whole picture; None for the clean picture."""

    cut: Pixels
    psnr: float | None


@dataclass
class Sheet:
    """Collects crops of the first ``ROWS`` pictures. Pass ``see`` to ``compare``."""

    columns: list[str] = field(default_factory=list)
    rows: list[tuple[str, list[Cell]]] = field(default_factory=list)

    def see(self, batch: Batch, outputs: Outputs) -> None:
        """Add crops of the batch's pictures while there is room."""
        self.columns = [*outputs, CLEAN]
        for index, name in enumerate(batch.names[: ROWS - len(self.rows)]):
            clean = batch.clean[index]
            place = detail(clean.numpy())
            cells = []
            for output in outputs.values():
                cells.append(Cell(_cut(output[index].numpy(), place), psnr(output[index], clean)))
            self.rows.append((name, [*cells, Cell(_cut(clean.numpy(), place), None)]))

    def png(self) -> bytes:
        """Return the sheet as a PNG file. The best PSNR of each row is green."""
        size = (GAP + len(self.columns) * (CELL + GAP), HEAD + len(self.rows) * (CELL + LABEL + GAP))
        paper = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(paper)
        for column, name in enumerate(self.columns):
            middle = GAP + column * (CELL + GAP) + CELL // 2
            draw.text((middle, HEAD // 2), _short(name), INK, _font(20), "mm")
        for row, (name, cells) in enumerate(self.rows):
            _draw(paper, HEAD + row * (CELL + LABEL + GAP), name, cells)
        buffer = BytesIO()
        paper.save(buffer, "PNG")
        return buffer.getvalue()


def _draw(paper: Image.Image, top: int, name: str, cells: Sequence[Cell]) -> None:
    """Draw a row: the crops, with the PSNR below each, and the picture's name below the clean one."""
    draw, best = ImageDraw.Draw(paper), max(cell.psnr for cell in cells if cell.psnr is not None)
    for column, cell in enumerate(cells):
        left = GAP + column * (CELL + GAP)
        paper.paste(_enlarged(cell.cut), (left, top))
        text = name if cell.psnr is None else f"{cell.psnr:.2f} dB"
        ink = FAINT if cell.psnr is None else BEST if cell.psnr == best else INK
        draw.text((left + CELL // 2, top + CELL + LABEL // 2), _short(text), ink, _font(17), "mm")


def detail(clean: Pixels) -> tuple[slice, slice]:
    """Return the square of ``(C, H, W)`` in which the strength of edges varies most.

    It has strong edges and smooth areas. Texture alone would hide what a method does to smooth areas.
    """
    side = min(CROP, *clean.shape[1:])
    grey = clean.mean(0)
    edges = np.hypot(*np.gradient(grey)) if min(grey.shape) > 1 else np.zeros_like(grey)
    places = [
        (slice(top, top + side), slice(left, left + side))
        for top in _steps(grey.shape[0], side)
        for left in _steps(grey.shape[1], side)
    ]
    return max(places, key=lambda place: float(edges[place].std()))


def _steps(length: int, side: int) -> list[int]:
    """Return where squares start; the last one ends at ``length``."""
    return [*range(0, length - side, max(1, side // 4)), length - side]


def _cut(picture: Pixels, place: tuple[slice, slice]) -> Pixels:
    """Crop ``(C, H, W)`` to ``(side, side, 3)``; grey becomes three equal channels."""
    cut = picture[:, *place].transpose(1, 2, 0)
    return np.ascontiguousarray(np.broadcast_to(cut, (*cut.shape[:2], 3)))


def _enlarged(cut: Pixels) -> Image.Image:
    """Enlarge a crop by a whole number, without interpolation, and centre it in its cell."""
    times = CELL // len(cut)
    large = Image.fromarray(cut.repeat(times, 0).repeat(times, 1))
    cell = Image.new("RGB", (CELL, CELL), "white")
    margin = (CELL - large.width) // 2
    cell.paste(large, (margin, margin))
    return cell


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
