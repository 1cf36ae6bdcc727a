"""Where a denoised picture comes from, as JSON."""

from typing import Literal

from pydantic import BaseModel, Field

_LEVELS = "in `unit`, of the picture at its own depth"


class NoiseLevels(BaseModel):
    """Estimates of the noise, from the pictures alone."""

    before: float = Field(description=f"of what was sent, {_LEVELS}")
    after: float = Field(description=f"of the answer, {_LEVELS}")
    unit: Literal["grey levels of 0 to 255"] = "grey levels of 0 to 255"


class Spread(BaseModel):
    """Standard deviation of the self-ensemble's eight results, in grey levels of 0 to 255."""

    spread_mean: float = Field(description="over all pixels")
    spread_p95: float = Field(description="95 of 100 pixels are below")


class AgainstReference(BaseModel):
    """PSNR in dB and SSIM, at the depth of the picture; before: of what was sent, after: of the answer."""

    psnr_before: float | None = Field(description="null if infinite: equal pictures")
    psnr_after: float | None = Field(description="null if infinite")
    ssim_before: float | None = Field(description="null if a side is below 7 pixels")
    ssim_after: float | None = Field(description="null if a side is below 7 pixels")


class Milliseconds(BaseModel):
    """What each stage took."""

    decode: float
    queue: float = Field(description="waiting for a device")
    inference: float
    measure: float = Field(
        description="noise levels, the stretch, the self-ensemble's mean, strength, and the reference"
    )
    encode: float = Field(description="0 if the report comes alone: no picture is written")


class DenoiseReport(BaseModel):
    """What was done to a picture, and how well."""

    model: str = Field(description="id of the model that was used, also where it was chosen by `auto`")
    version: int | None = Field(description="its number; null if it was exchanged in the meantime")
    sha256: str = Field(description="of its weights file")
    noise: NoiseLevels
    strength: float = Field(description="0 is the picture as it was sent, 1 the network's result")
    self_ensemble: Spread | None = Field(description="null if it was not asked for")
    stretch: float | None = Field(
        description="gain of the contrast that the network saw, as the noise of a deep picture was finer than"
        " the levels of 8 bits; null if it saw the picture as it is"
    )
    reference: AgainstReference | None = Field(description="null if none was sent")
    width: int
    height: int
    bits: Literal[8, 16, 32] = Field(description="per channel, as the picture was read; 32 are floats")
    format: str = Field(description="of the answer's picture", examples=["png"])
    window: tuple[int, int] = Field(description="height and width of a tile, halo included")
    halo: int = Field(description="pixels of context around what a tile gives")
    period: int = Field(description="tiles begin at multiples of it")
    tiles: int = Field(description="that the network ran on, all eight turns' in a self-ensemble")
    device: str = Field(description="where, separated by commas if there were several", examples=["cpu"])
    milliseconds: Milliseconds
