"""Measure how smoothly the page draws: ``python -m benchmarks.page``. Needs Chromium.

A picture of 12 megapixels is denoised, and the line between before and after is dragged to and fro, while the
browser traces its own frames. Without a window, or without a GPU, Chromium draws on the CPU; this tells.
"""

import argparse
import math
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page

from benchmarks.chromium import running
from benchmarks.reliability.service import Service

SIZE = 4000, 3000
SECONDS = 5.0
REPORTS = 125
"""Mouse events per second, as of a usual mouse. More would take the cores that the browser draws with."""
LATE = 25.0
"""Milliseconds between two frames from which on a frame is missing, at 60 frames per second."""

CATEGORIES = "devtools.timeline,viz"
SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)))
    .observe({ type: "layout-shift", buffered: true });
}"""
LOADED = """() => {
  const entries = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
  return {
    bytes: entries.reduce((sum, entry) => sum + entry.transferSize, 0),
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  };
}"""


@dataclass(frozen=True)
class Smoothness:
    """Frames while the line is dragged."""

    rate: float
    """Frames per second."""
    longest: float
    """Longest time between two frames in milliseconds."""
    late: float
    """Fraction of the frames that came later than ``LATE``."""
    script: float
    """Milliseconds per second that the main thread spent on script, style, layout and paint."""
    drawn_by: str
    """Device that draws: GPU, or CPU if there is none."""


def main() -> None:
    """Measure the page, and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--headed", action="store_true", help="with a window, and so with the GPU if there is one"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of dragging")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(Path(folder), {"timeout": 600, "train_concurrency": 0}) as service,
        running(headless=not arguments.headed) as browser,
    ):
        measure(browser, service.url, arguments.seconds)


def measure(browser: Browser, url: str, seconds: float, size: tuple[int, int] = SIZE) -> Smoothness:
    """Open the page at ``url``, denoise a picture of ``size``, and drag the dividing line."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}/#/denoise?model=scratch")
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    loaded = page.evaluate(LOADED)
    print(
        f"first paint after {loaded['paint']:.0f} ms; the whole first view: {loaded['bytes'] / 1000:.1f} kB"
    )
    page.evaluate(SHIFTS)
    began = monotonic()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files({"name": "large.jpg", "mimeType": "image/jpeg", "buffer": picture(size)})
    page.locator(".row[data-state=done]").wait_for(timeout=600_000)
    page.locator(".compare.has-after").wait_for()
    page.wait_for_timeout(1000)
    print(f"{size[0]} x {size[1]} pixels denoised with scratch and shown after {monotonic() - began:.1f} s")
    print(f"layout shift until then: {sum(page.evaluate('window.shifts')):.4f}")
    result = drag(page, seconds)
    print(f"dragging, drawn by the {result.drawn_by}:")
    print(f"  {result.rate:.1f} frames a second, the longest {result.longest:.0f} ms after the one before,")
    print(f"  {result.late:.1%} late, {result.script:.0f} ms of the main thread a second")
    page.close()
    return result


def picture(size: tuple[int, int]) -> bytes:
    """Return a JPEG of a noisy scene."""
    rng = np.random.default_rng(0)
    x, y = np.linspace(0, 1, size[0], dtype=np.float32), np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    planes = [x + 0 * y, y + 0 * x, 0.5 + 0.4 * np.sin(40 * x) * np.sin(30 * y)]
    noisy = np.stack(planes, axis=-1) + rng.normal(0, 0.06, (size[1], size[0], 3)).astype(np.float32)
    buffer = BytesIO()
    Image.fromarray((noisy.clip(0, 1) * 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def drag(page: Page, seconds: float) -> Smoothness:
    """Move the line to and fro with the mouse, and read the frames from the browser's trace."""
    handle = page.get_by_role("slider", name="Line between")
    stage, grip = page.locator(".compare").bounding_box(), handle.bounding_box()
    assert stage
    assert grip
    middle, reach = stage["x"] + stage["width"] / 2, stage["width"] * 0.45
    height = stage["y"] + stage["height"] / 3
    page.mouse.move(grip["x"] + grip["width"] / 2, height)
    page.mouse.down()
    trace = Trace(page.context.new_cdp_session(page))
    began = monotonic()
    for report in range(round(seconds * REPORTS)):
        sleep(max(0.0, began + report / REPORTS - monotonic()))
        page.mouse.move(middle + reach * math.sin(report / REPORTS * math.pi), height)
    events = trace.end()
    page.mouse.up()
    return smoothness(events)


class Trace:
    """Record the browser's trace within the block."""

    def __init__(self, session: CDPSession) -> None:
        self._session, self._events, self._over = session, list[dict[str, Any]](), False
        session.on("Tracing.dataCollected", lambda data: self._events.extend(data["value"]))
        session.on("Tracing.tracingComplete", lambda _: setattr(self, "_over", True))
        session.send("Tracing.start", {"categories": CATEGORIES, "transferMode": "ReportEvents"})

    def end(self) -> list[dict[str, Any]]:
        """Return the recorded events."""
        self._session.send("Tracing.end")
        while not self._over:
            self._session.send("Browser.getVersion")  # which lets the others come
        return self._events


def smoothness(events: list[dict[str, Any]]) -> Smoothness:
    """Compute the figures from the frames that the compositor drew. Times in a trace are in microseconds."""
    drawn = np.sort([event["ts"] for event in events if event["name"] == "Display::DrawAndSwap"]) / 1000
    gaps, span = np.diff(drawn), (drawn[-1] - drawn[0]) / 1000
    tasks = ("FunctionCall", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit")
    script = sum(event.get("dur", 0) for event in events if event["name"] in tasks) / 1000
    drawn_by = "CPU" if any(event["name"].startswith("SoftwareRenderer") for event in events) else "GPU"
    late = float((gaps > LATE).mean())
    return Smoothness(len(gaps) / float(span), float(gaps.max()), late, script / float(span), drawn_by)


if __name__ == "__main__":
    main()
