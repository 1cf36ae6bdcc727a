"""Requests that must be rejected, each with its problem."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

import httpx
from PIL import Image

from benchmarks.reliability.answers import WrongError, drawn, form

PROBLEM = "application/problem+json"
HUGE = 60_000
"""Side in pixels that a bomb's header declares: 3.6 billion pixels in all."""


@dataclass(frozen=True)
class Bad:
    """A request, and the status and code that it must have."""

    name: str
    path: str
    body: bytes
    status: int
    code: str
    media_type: str = "image/png"
    method: str = "POST"

    async def ask(self, client: httpx.AsyncClient) -> None:
        """Send it.

        Raises:
            WrongError: it has another answer.
        """
        headers = {"Content-Type": self.media_type} if self.method == "POST" else {}
        answer = await client.request(self.method, self.path, content=self.body, headers=headers)
        check_problem(self.name, answer, self.status, self.code)


def check_problem(name: str, answer: httpx.Response, status: int, code: str) -> None:
    """Raise ``WrongError`` unless the answer is the expected problem."""
    kind = answer.headers.get("content-type")
    got = (answer.status_code, answer.json()["code"]) if kind == PROBLEM else (answer.status_code, kind)
    if got != (status, code):
        raise WrongError(f"{name}: got {got}, expected {(status, code)}: {answer.text[:300]}")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb() -> bytes:
    """A PNG whose header announces 60,000 by 60,000 pixels."""
    header = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(2**20), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def bmp_bomb() -> bytes:
    """A BMP of the same size, and with no pixels."""
    content = bytearray(drawn("bmp", 16))
    content[18:26] = struct.pack("<ii", HUGE, HUGE)
    return bytes(content)


def jpeg_bomb() -> bytes:
    """A JPEG whose frame header announces the same size."""
    content = bytearray(drawn("jpeg", 16))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", HUGE, HUGE)
    return bytes(content)


def tiff_bomb() -> bytes:
    """A TIFF whose tags announce the same size."""
    buffer = BytesIO()
    Image.new("L", (16, 16)).save(buffer, "tiff", tiffinfo={256: HUGE, 257: HUGE})
    content = bytearray(buffer.getvalue())
    tags = struct.unpack_from("<I", content, 4)[0]
    for index in range(struct.unpack_from("<H", content, tags)[0]):
        entry = tags + 2 + 12 * index
        if struct.unpack_from("<H", content, entry)[0] in (256, 257):
            struct.pack_into("<HII", content, entry + 2, 4, 1, HUGE)
    return bytes(content)


def bad_requests() -> list[Bad]:
    """Return bad requests of all kinds."""
    png, denoise = drawn("png", 64), "/denoise?model=scratch"
    empty_form, broken_form = form("other", [("a.png", png)]), form("file", [("a.png", png)])
    archive = form("file", [("set.zip", b"PK\x03\x04 no archive")], kind="single", name="broken")
    refused = [
        Bad("an unknown model", "/denoise?model=best", png, 404, "unknown_model"),
        Bad("a misspelt parameter", "/denoise?modle=torch", png, 422, "bad_request"),
        Bad("a strength of 2", "/denoise?strength=2", png, 422, "bad_request"),
        Bad("a text", denoise, b"hello", 415, "unsupported_media_type", "text/plain"),
        Bad("no picture", denoise, b"", 422, "bad_image"),
        Bad("noise for a picture", denoise, bytes(range(256)) * 20, 422, "bad_image"),
        Bad("a form without a file", denoise, empty_form[0], 422, "bad_request", empty_form[1]),
        Bad("half a form", denoise, broken_form[0][:30], 422, "bad_request", broken_form[1]),
        Bad("a PNG bomb", denoise, png_bomb(), 413, "image_too_large"),
        Bad("a BMP bomb", denoise, bmp_bomb(), 413, "image_too_large", "image/bmp"),
        Bad("a JPEG bomb", denoise, jpeg_bomb(), 413, "image_too_large", "image/jpeg"),
        Bad("a TIFF bomb", denoise, tiff_bomb(), 413, "image_too_large", "image/tiff"),
        Bad("a body above the limit", denoise, bytes(4_100_000), 413, "body_too_large"),
        Bad("a broken dataset", "/datasets", archive[0], 422, "bad_dataset", archive[1]),
        Bad("a broken model", "/models/broken/versions", b"\x10" + bytes(64), 422, "bad_model"),
        Bad("a job on no dataset", "/train-jobs", b'{"dataset": "none"}', 422, "unknown_dataset",
            "application/json"),
        Bad("a job on no recipe", "/train-jobs", b'{"epochs": "many"}', 422, "bad_request",
            "application/json"),
        Bad("a wrong page", "/datasets?page_token=first", b"", 422, "bad_request", method="GET"),
        Bad("an unknown dataset", "/datasets/none", b"", 404, "unknown_dataset", method="GET"),
        Bad("no endpoint", "/denoised", b"", 404, "not_found", method="GET"),
    ]  # fmt: skip
    for format in ("png", "jpeg", "webp", "tiff", "bmp"):
        whole = drawn(format, 64)
        half, kind = whole[: len(whole) // 2], f"image/{format}"
        refused.append(Bad(f"half a {format}", denoise, half, 422, "bad_image", kind))
    return refused
