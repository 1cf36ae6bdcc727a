"""Write figures as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from n2n_core.evaluation.compare import NOISY, Comparison

HEADINGS = ("", "parameters", "kMAC/pixel", "PSNR", "gain", "pooled", "gain", "SSIM", "s/megapixel")


def markdown(found: Comparison) -> str:
    """Return a table with a row per method and aligned columns. Gains are over the noisy pictures."""
    rows = [HEADINGS, *(_row(name, found) for name in found.figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "|" + "".join(f"{'':->{width + 1}}{':' if i else '-'}|" for i, width in enumerate(widths))
    heading, *body = (_line(row, widths) for row in rows)
    return "\n".join([heading, rule, *body])


def _row(name: str, found: Comparison) -> tuple[str, ...]:
    own, before, method = found.figures[name], found.figures[NOISY], found.methods.get(name)
    return (
        name,
        f"{method.parameters:,}" if method and method.parameters else "",
        f"{method.macs / 1000:.1f}" if method and method.macs else "",
        f"{own.psnr:.2f}",
        f"{own.psnr - before.psnr:+.2f}" if method else "",
        f"{own.pooled:.2f}",
        f"{own.pooled - before.pooled:+.2f}" if method else "",
        "" if own.ssim is None else f"{own.ssim:.4f}",
        f"{own.seconds_per_megapixel:.2f}" if method else "",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Format a row: the first cell left-aligned, the figures right-aligned."""
    first, *others = zip(cells, widths, strict=True)
    return " | ".join([f"| {first[0]:{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]) + " |"
