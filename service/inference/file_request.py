"""A file to denoise, and what the pipeline makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from n2n_core.image import Picture
from n2n_core.inference.enhance import Enhanced
from n2n_core.inference.self_ensemble import SYMMETRIES
from service.inference.loaded_models import ServedModel
from service.inference.tile_job import TileJob


@dataclass(frozen=True, kw_only=True)
class FileRequest:
    """An image file to denoise.

    Args:
        served: the model.
        data: the file's bytes.
        timeout: seconds that all pages may take together.
        strength: 0 gives the noisy picture, 1 the network's result.
        self_ensemble: whether to average over the eight flips and rotations.
        reference: bytes of a file with the clean picture, if there is one.
    """

    served: ServedModel
    data: bytes
    timeout: float
    strength: float = 1.0
    self_ensemble: bool = False
    reference: bytes | None = None

    @property
    def images_per_page(self) -> int:
        """Images that the network denoises for each page."""
        return len(SYMMETRIES) if self.self_ensemble else 1

    def check(self, pages: Sequence[Picture], reference: Picture | None) -> None:
        """Raise an error if the decoded pages cannot be answered as asked; called before the network runs."""


R = TypeVar("R", bound=FileRequest)


@dataclass
class Timing:
    """Milliseconds that each stage of one request took; ``measure`` is None if there was none."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    encode: float = 0.0
    measure: float | None = None

    def header(self) -> str:
        """Return the value of a ``Server-Timing`` header."""
        return ", ".join(f"{name};dur={value:.1f}" for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class TilingSummary:
    """Summary of the tiles of a page, and of the devices that ran them.

    Args:
        window: height and width of a tile; with a self-ensemble, of its first image.
        tiles: number of tiles, of all images.
        devices: names of the devices.
    """

    window: tuple[int, int]
    tiles: int
    devices: tuple[str, ...]

    @classmethod
    def of(cls, jobs: Sequence[TileJob], served: ServedModel) -> Self:
        """Summarise the jobs of one page."""
        used = {id(job.denoiser) for job in jobs}
        devices = tuple(each.process.name for each in served.denoisers if id(each) in used)
        return cls(jobs[0].shape, sum(len(job.cover) for job in jobs), devices)


@dataclass(frozen=True)
class DenoisedPage:
    """One page, before and after."""

    original: Picture
    enhanced: Enhanced
    tiling: TilingSummary


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """A denoised file: its pages in order, and the decoded reference if there is one."""

    request: R
    pages: list[DenoisedPage]
    reference: Picture | None
    timing: Timing
