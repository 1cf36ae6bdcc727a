"""One picture that is to be denoised, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from n2n_core.errors import ImageError
from n2n_core.image import MEDIA_TYPES, SUFFIXES, Picture, check_pages
from n2n_core.inference.model_choice import AUTO, choose
from n2n_core.inference.self_ensemble import SYMMETRIES
from n2n_core.metrics.quality import LEVELS
from n2n_core.noise.estimation import noise_level
from service.api.dependencies import State
from service.http.errors import ProblemError
from service.http.negotiation import Answer, negotiate
from service.http.problem import FieldError
from service.inference.loaded_models import ServedModel
from service.inference.pipeline import Denoised, Timing


@dataclass(frozen=True)
class Order:
    """A picture's bytes, and how it is wanted."""

    data: bytes
    format: str | None = None
    accept: str = "*/*"
    timeout: float | None = None
    strength: float = 1.0
    self_ensemble: bool = False
    single: bool = False
    """Whether files of several pages are refused."""

    def answer(self, own: str) -> Answer:
        """The format of the answer to a picture of format ``own``; a problem if there is none."""
        if self.format:
            name = SUFFIXES[f".{self.format}"]
            return Answer(name, MEDIA_TYPES[name])
        answer = negotiate(self.accept, own)
        if answer is None:
            known = ", ".join(MEDIA_TYPES.values())
            raise ProblemError(406, "not_acceptable", f"Accept is {self.accept!r}, expected one of: {known}")
        return answer


@dataclass(frozen=True)
class Outcome:
    """A picture that was denoised, page by page.

    Args:
        originals: its pages before.
        noise: the first page's level before, in grey levels, if it chose the model.
    """

    served: ServedModel
    originals: list[Picture]
    pages: list[Denoised]
    answer: Answer
    timing: Timing
    noise: float | None


async def denoised(
    state: State, served: ServedModel | None, order: Order, timing: Timing, clean: Picture | None = None
) -> Outcome:
    """Read the picture, choose a model by its noise if none is given, and denoise it.

    Args:
        clean: must have the picture's size and channels.
    """
    times = len(SYMMETRIES) if order.self_ensemble else 1
    originals = await state.worker.decode(order.data, timing, times)
    first = originals[0]
    answer = order.answer(first.format)
    check_pages(answer.format, len(originals))
    if order.single:
        check_single(originals)
    _check_reference(first, clean)
    noise = None
    if served is None:
        level = await state.worker.measure(timing, noise_level, first.colour)
        served = await state.loaded_models.find(choose(level, list(state.loaded_models.models)))
        noise = level * LEVELS
    seconds = min(order.timeout or state.settings.timeout, state.settings.timeout)
    pages = await state.worker.denoise_pages(
        served, originals, timing, seconds, order.strength, order.self_ensemble
    )
    return Outcome(served, originals, pages, answer, timing, noise)


async def find(state: State, model: str | None) -> ServedModel | None:
    """The model of that name; None for ``auto``, which each picture chooses by itself."""
    return None if model == AUTO else await state.loaded_models.find(model)


async def written(state: State, outcome: Outcome) -> bytes:
    """The denoised picture as a file."""
    return await state.worker.encode(
        [page.picture for page in outcome.pages],
        outcome.answer.format,
        outcome.timing,
        state.settings.png_compression,
    )


def headers(outcome: Outcome, noise: float | None = None) -> dict[str, str]:
    """What was done; ``noise`` is its level before, if it was measured."""
    told = {
        "N2N-Model": outcome.served.entry.id,
        "N2N-Weights-SHA256": outcome.served.entry.sha256,
        "Server-Timing": outcome.timing.header(),
    }
    noise = outcome.noise if noise is None else noise
    if noise is not None:
        told["N2N-Noise-Level"] = f"{noise:.2f}"
    return told


def check_single(pages: Sequence[Picture]) -> Picture:
    """The only page."""
    if len(pages) > 1:
        raise ImageError(f"the image has {len(pages)} pages, expected a single one where a report is wanted")
    return pages[0]


def _check_reference(picture: Picture, clean: Picture | None) -> None:
    if clean is None or clean.colour.shape == picture.colour.shape:
        return
    detail = f"the reference is {_size(clean)}, expected {_size(picture)}, as the image"
    raise ProblemError(422, "bad_request", detail, [FieldError(pointer="body/reference", detail=detail)])


def _size(picture: Picture) -> str:
    channels, height, width = picture.colour.shape
    return f"{width} x {height} {'grey' if channels == 1 else 'colour'}"
