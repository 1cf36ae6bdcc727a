"""The report on a denoised picture, as JSON."""

from typing import Literal

from pydantic import BaseModel, Field

_LEVELS = "in `unit`, at the picture's own depth"


class NoiseLevels(BaseModel):
    """Noise levels, estimated from the pictures alone."""

    before: float = Field(description=f"of the image as sent, {_LEVELS}")
    after: float = Field(description=f"of the denoised image, {_LEVELS}")
    unit: Literal["grey levels of 0 to 255"] = "grey levels of 0 to 255"


class Spread(BaseModel):
    """Standard deviation of the self-ensemble's eight results, in grey levels of 0 to 255."""

    spread_mean: float = Field(description="mean over all pixels")
    spread_p95: float = Field(description="95th percentile of the pixels")


class AgainstReference(BaseModel):
    """PSNR in dB and SSIM, at the picture's own depth: before, of the image as sent, and after denoising."""

    psnr_before: float | None = Field(description="null if infinite, as the pictures are equal")
    psnr_after: float | None = Field(description="null if infinite")
    ssim_before: float | None = Field(description="null if a side is below 7 pixels")
    ssim_after: float | None = Field(description="null if a side is below 7 pixels")


class Milliseconds(BaseModel):
    """Time that each stage took, for all pages."""

    decode: float
    queue: float = Field(description="waiting for a device")
    inference: float
    measure: float = Field(
        description="noise levels, contrast stretch, mean of the self-ensemble, strength, and comparison with"
        " the reference"
    )
    encode: float = Field(description="0 with `report=json`, which writes no picture")


class DenoiseReport(BaseModel):
    """How a picture was denoised, and how well.

    For a file of several pages, the figures are those of the first page, but `tiles`, `device` and
    `milliseconds` are of all pages.
    """

    model: str = Field(description="id of the model that was used; with `auto`, the one that was chosen")
    version: int | None = Field(description="its version; null if the model was replaced in the meantime")
    sha256: str = Field(description="SHA-256 of its weights file")
    noise: NoiseLevels
    strength: float = Field(description="0 is the noisy picture, 1 the network's result")
    self_ensemble: Spread | None = Field(description="null if it was not asked for")
    stretch: float | None = Field(
        description="gain of the contrast stretch, used if the noise of a picture of more than 8 bits is"
        " finer than the levels of 8 bits; null if not used"
    )
    reference: AgainstReference | None = Field(description="null if none was sent")
    pages: int = Field(description="pages of the file", examples=[1])
    width: int
    height: int
    bits: Literal[8, 16, 32] = Field(description="bits per channel of the picture as sent; 32 are floats")
    format: str = Field(description="format of the denoised picture", examples=["png"])
    window: tuple[int, int] = Field(description="height and width of a tile, halo included")
    halo: int = Field(description="pixels of context around the part of a tile that is used")
    period: int = Field(description="tiles start at multiples of this many pixels")
    tiles: int = Field(
        description="number of tiles that the network ran on, of all pages; in a self-ensemble, of all eight"
        " images"
    )
    device: str = Field(description="device; several are separated by commas", examples=["cpu"])
    milliseconds: Milliseconds
