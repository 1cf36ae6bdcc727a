"""The answer to a denoised picture: the picture, a report, or both."""

import asyncio

from fastapi import Response

from n2n_core.errors import UnknownModelError
from n2n_core.inference.self_ensemble import spread_picture
from n2n_core.metrics.quality import Quality, quality, spread_figures
from service.api.denoise.request import DenoiseRequest
from service.api.denoise.schemas import AgainstReference, DenoiseReport, Milliseconds, NoiseLevels, Spread
from service.http.multipart import Part, write
from service.http.negotiation import Answer
from service.inference.file_request import Outcome, Timing
from service.inference.loaded_models import ServedModel
from service.inference.pipeline import Pipeline
from service.storage.model_catalogue import ModelCatalogue

FORM = "multipart/form-data"
"""Not ``multipart/mixed``: browsers parse forms (``await response.formData()``), and the parts have names."""

Denoised = Outcome[DenoiseRequest]


async def respond(outcome: Denoised, pipeline: Pipeline, catalogue: ModelCatalogue) -> Response:
    """Return the answer that the request asks for."""
    answer = _answer_format(outcome)
    if outcome.request.report == "json":
        report = await _report(outcome, pipeline, catalogue)
        headers = _headers(outcome, report)
        return Response(_json(report), media_type="application/json", headers=headers)
    pages = [page.enhanced.picture for page in outcome.pages]
    image = await pipeline.encode(pages, answer.format, outcome.timing)
    if outcome.request.report is None:
        return Response(image, media_type=answer.media_type, headers=_headers(outcome))
    report = await _report(outcome, pipeline, catalogue)
    parts = [
        Part(f'form-data; name="image"; filename="image.{answer.format}"', answer.media_type, image),
        Part('form-data; name="report"', "application/json", _json(report)),
        *await _uncertainty(outcome, pipeline),
    ]
    body, media_type = write(parts, FORM)
    return Response(body, headers={"Content-Type": media_type, **_headers(outcome, report)})


def _answer_format(outcome: Denoised) -> Answer:
    return outcome.request.answer_format(outcome.pages[0].original.format)


def _headers(outcome: Denoised, report: DenoiseReport | None = None) -> dict[str, str]:
    entry = outcome.request.served.entry
    headers = {
        "N2N-Model": entry.id,
        "N2N-Weights-SHA256": entry.sha256,
        "Server-Timing": outcome.timing.header(),
    }
    return headers | ({"N2N-Noise-Level": f"{report.noise.before:.2f}"} if report else {})


def _json(report: DenoiseReport) -> bytes:
    return report.model_dump_json().encode()


async def _uncertainty(outcome: Denoised, pipeline: Pipeline) -> list[Part]:
    """Draw the map of the self-ensemble's spread on the first page, if it was asked for."""
    spread = outcome.pages[0].enhanced.spread
    if not outcome.request.uncertainty or spread is None:
        return []
    drawn = await pipeline.measure(outcome.timing, spread_picture, spread)
    content = await pipeline.encode([drawn], "png", Timing())
    return [Part('form-data; name="uncertainty"; filename="uncertainty.png"', "image/png", content)]


async def _report(outcome: Denoised, pipeline: Pipeline, catalogue: ModelCatalogue) -> DenoiseReport:
    """Measure the first page before and after, and describe what was done to the file."""
    request, timing, page = outcome.request, outcome.timing, outcome.pages[0]
    original, enhanced = page.original, page.enhanced
    clean = None if outcome.reference is None else outcome.reference.colour
    before, after = [
        await pipeline.measure(timing, quality, picture.colour, clean, original.bits)
        for picture in (original, enhanced.picture)
    ]
    spread = None
    if enhanced.spread is not None:
        mean, p95 = await pipeline.measure(timing, spread_figures, enhanced.spread)
        spread = Spread(spread_mean=mean, spread_p95=p95)
    geometry = request.served.denoisers[0].geometry
    height, width = original.colour.shape[1:]
    devices = dict.fromkeys(name for each in outcome.pages for name in each.tiling.devices)
    return DenoiseReport(
        model=request.served.entry.id,
        version=await asyncio.to_thread(_version, catalogue, request.served),
        sha256=request.served.entry.sha256,
        noise=NoiseLevels(before=before.noise, after=after.noise),
        strength=request.strength,
        self_ensemble=spread,
        stretch=enhanced.stretch,
        reference=None if clean is None else _against(before, after),
        pages=len(outcome.pages),
        width=width,
        height=height,
        bits=original.bits,
        format=_answer_format(outcome).format,
        window=page.tiling.window,
        halo=geometry.halo,
        period=geometry.period,
        tiles=sum(each.tiling.tiles for each in outcome.pages),
        device=",".join(devices),
        milliseconds=Milliseconds(**{name: value or 0.0 for name, value in vars(timing).items()}),
    )


def _against(before: Quality, after: Quality) -> AgainstReference:
    return AgainstReference(
        psnr_before=before.psnr, psnr_after=after.psnr, ssim_before=before.ssim, ssim_after=after.ssim
    )


def _version(catalogue: ModelCatalogue, served: ServedModel) -> int | None:
    """Return the number of the version that was used; None if its name now stands for another one."""
    try:
        version = catalogue.resolve(served.entry.id)
    except UnknownModelError:
        return None
    return version.version if version.sha256 == served.entry.sha256 else None
