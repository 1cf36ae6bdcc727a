"""Good requests, and the check that an answer equals the first answer to the same request."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.serving.pictures import png

ROUNDING = 1
"""Grey levels by which answers may differ, because the order of sums depends on the other work."""

Content = dict[str, Any]


class WrongError(Exception):
    """An answer that is not the expected one."""


@dataclass(frozen=True)
class Good:
    """A request and its known answer: the content by parts, pictures as bytes."""

    name: str
    path: str
    body: bytes
    media_type: str
    read: Callable[[httpx.Response], Content]

    async def ask(self, client: httpx.AsyncClient) -> Content:
        """Send the request, and return the content of the answer.

        Raises:
            WrongError: it is refused.
        """
        headers = {"Content-Type": self.media_type}
        answer = await client.post(self.path, content=self.body, headers=headers)
        if answer.status_code != 200:
            raise WrongError(f"{self.name}: {answer.status_code} {answer.text[:300]}")
        return self.read(answer)


def check_same(name: str, got: Content, expected: Content) -> bool:
    """Check that two contents are equal. Pictures may differ by ``ROUNDING``.

    Raises:
        WrongError: something is not the same.
    """
    if got.keys() != expected.keys():
        raise WrongError(f"{name}: got {sorted(got)}, expected {sorted(expected)}")
    different = [part for part in got if got[part] != expected[part]]
    for part in different:
        off = _difference(got[part], expected[part])
        if off is None:
            raise WrongError(f"{name}, {part}: got {got[part]!r:.200}, expected {expected[part]!r:.200}")
        if off > ROUNDING:
            raise WrongError(f"{name}, {part}: off by {off} grey levels")
    return not different


def _difference(got: Any, expected: Any) -> int | None:
    """Return the largest difference of two pictures, or None if their sizes or modes differ."""
    if not (isinstance(got, bytes) and isinstance(expected, bytes)):
        return None
    try:
        first, second = (Image.open(BytesIO(content)) for content in (got, expected))
        if (first.format, first.mode, first.size) != (second.format, second.mode, second.size):
            return None
        values = [np.asarray(image).astype(int) for image in (first, second)]
    except OSError:
        return None
    return int(np.abs(values[0] - values[1]).max()) >> (8 if first.mode.startswith("I") else 0)


def picture(answer: httpx.Response) -> Content:
    """Return the content of an answer that is a picture."""
    return {"picture": answer.content, "type": answer.headers["content-type"]}


def archive(answer: httpx.Response) -> Content:
    """Return the files in a batch's answer. The archive itself also contains the time, so it differs."""
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        if broken := archive.testzip():
            raise WrongError(f"batch: {broken} is damaged")
        return {name: archive.read(name) for name in archive.namelist()}


def report(answer: httpx.Response) -> Content:
    """Return the part of a report that does not depend on the load or on rounding."""
    told: Content = answer.json()
    return {name: value for name, value in told.items() if name not in ("milliseconds", "noise")}


def form(field: str, files: list[tuple[str, bytes]], **values: str) -> tuple[bytes, str]:
    """Encode files and fields as a multipart body; also returns the content type."""
    parts = [(field, file) for file in files]
    request = httpx.Request("POST", "http://n2n", data=values, files=parts)
    return request.read(), request.headers["content-type"]


def drawn(format: str, side: int, mode: str = "RGB", seed: int = 0) -> bytes:
    """Draw a noisy picture, in any format and Pillow mode."""
    image: Image.Image = Image.open(BytesIO(png(side, seed)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode != "RGB":
        image = image.convert(mode)
    buffer = BytesIO()
    image.save(buffer, format, **({"lossless": True} if format == "webp" else {}))
    return buffer.getvalue()


def good_requests() -> list[Good]:
    """Return requests of several sizes, formats, modes, models and options, with lossless answers."""
    plain = [
        ("png", 32, "RGB", "model=scratch"), ("png", 64, "RGB", "model=torch"), ("png", 48, "RGB", ""),
        ("png", 40, "L", "model=scratch"), ("png", 36, "RGBA", "model=scratch"),
        ("png", 33, "LA", "model=unet"),
        ("png", 44, "I;16", "model=scratch"), ("jpeg", 96, "RGB", "model=scratch&format=png"),
        ("jpeg", 57, "L", "model=unet&format=bmp"), ("webp", 80, "RGB", "model=scratch"),
        ("tiff", 72, "RGB", "model=unet"), ("bmp", 128, "RGB", "model=scratch"),
        ("png", 256, "RGB", "model=scratch"), ("png", 200, "RGB", "model=unet"),
        ("png", 64, "RGB", "model=auto"), ("png", 32, "RGB", "model=scratch&strength=0.5"),
        ("png", 32, "RGB", "model=scratch&self_ensemble=true"),
        ("jpeg", 24, "RGB", "model=default&format=webp"),
    ]  # fmt: skip
    requests = [
        Good(f"{format} {side} {mode} {query}", f"/denoise?{query}", drawn(format, side, mode, seed),
             f"image/{format}", picture)
        for seed, (format, side, mode, query) in enumerate(plain)
    ]  # fmt: skip
    body, media_type = form("file", [("a.png", drawn("png", 50, seed=91))])
    requests.append(Good("a form", "/denoise?model=scratch", body, media_type, picture))
    body, media_type = form("file", [("a.png", drawn("png", 32)), ("b.bmp", drawn("bmp", 40, seed=92))])
    requests.append(Good("a batch", "/denoise/batch?model=scratch", body, media_type, archive))
    body = drawn("png", 64, seed=93)
    requests.append(Good("a report", "/denoise?model=scratch&report=json", body, "image/png", report))
    return requests
