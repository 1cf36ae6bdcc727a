"""The answers that tell where a picture comes from."""

import asyncio
from dataclasses import replace

from fastapi import Response

from n2n_core.errors import ImageError, UnknownModelError
from n2n_core.image import Picture
from n2n_core.inference.self_ensemble import spread_picture
from n2n_core.metrics.quality import Quality, quality, spread_figures
from service.api.denoise.request import Order, Outcome, check_single, denoised, headers, written
from service.api.denoise.schemas import AgainstReference, DenoiseReport, Milliseconds, NoiseLevels, Spread
from service.api.dependencies import State
from service.http.multipart import Part, write
from service.inference.loaded_models import ServedModel
from service.inference.pipeline import Timing

FORM = "multipart/form-data"
"""Not ``multipart/mixed``: browsers read it as they are (``await response.formData()``), and the parts have
names, by which other clients find them, too."""


async def report_alone(
    state: State, served: ServedModel | None, order: Order, reference: bytes | None
) -> Response:
    """The report as JSON, without the picture."""
    outcome, clean = await _measured(state, served, order, reference)
    report = await _report(state, outcome, order, clean)
    content = report.model_dump_json().encode()
    return Response(content, media_type="application/json", headers=headers(outcome, report.noise.before))


async def report_with_pictures(
    state: State, served: ServedModel | None, order: Order, reference: bytes | None, uncertainty: bool
) -> Response:
    """A form of ``image``, ``report``, and perhaps ``uncertainty``."""
    outcome, clean = await _measured(state, served, order, reference)
    image = await written(state, outcome)
    report = await _report(state, outcome, order, clean)
    name, kind = f"image.{outcome.answer.format}", outcome.answer.media_type
    parts = [
        Part(f'form-data; name="image"; filename="{name}"', kind, image),
        Part('form-data; name="report"', "application/json", report.model_dump_json().encode()),
    ]
    spread = outcome.pages[0].spread
    if uncertainty and spread is not None:
        drawn = await state.worker.measure(outcome.timing, spread_picture, spread)
        map = await state.worker.encode([drawn], "png", Timing(), state.settings.png_compression)
        parts.append(Part('form-data; name="uncertainty"; filename="uncertainty.png"', "image/png", map))
    body, media_type = write(parts, FORM)
    return Response(body, headers={"Content-Type": media_type, **headers(outcome, report.noise.before)})


async def _measured(
    state: State, served: ServedModel | None, order: Order, reference: bytes | None
) -> tuple[Outcome, Picture | None]:
    """The picture, denoised, and its reference, which is read first: what is wrong costs no work."""
    timing, clean = Timing(), None
    if reference is not None:
        try:
            clean = check_single(await state.worker.decode(reference, timing))
        except ImageError as error:
            raise type(error)(f"the reference: {error}") from error
    return await denoised(state, served, replace(order, single=True), timing, clean), clean


async def _report(state: State, outcome: Outcome, order: Order, clean: Picture | None) -> DenoiseReport:
    """What is to be told, measured."""
    worker, timing, (original,), (done,) = state.worker, outcome.timing, outcome.originals, outcome.pages
    colours = original.colour, done.picture.colour
    reference = None if clean is None else clean.colour
    before, after = [
        await worker.measure(timing, quality, colour, reference, original.bits) for colour in colours
    ]
    spread = None
    if done.spread is not None:
        mean, p95 = await worker.measure(timing, spread_figures, done.spread)
        spread = Spread(spread_mean=mean, spread_p95=p95)
    served, run = outcome.served, done.run
    geometry = served.denoisers[0].geometry
    height, width = done.picture.colour.shape[1:]
    return DenoiseReport(
        model=served.entry.id,
        version=await asyncio.to_thread(_version, state, served),
        sha256=served.entry.sha256,
        noise=NoiseLevels(before=before.noise, after=after.noise),
        strength=order.strength,
        self_ensemble=spread,
        stretch=done.stretch,
        reference=_against(before, after) if clean else None,
        width=width,
        height=height,
        bits=original.bits,
        format=outcome.answer.format,
        window=run.window,
        halo=geometry.halo,
        period=geometry.period,
        tiles=run.tiles,
        device=",".join(run.devices),
        milliseconds=Milliseconds(**{name: value or 0.0 for name, value in vars(timing).items()}),
    )


def _against(before: Quality, after: Quality) -> AgainstReference:
    return AgainstReference(
        psnr_before=before.psnr, psnr_after=after.psnr, ssim_before=before.ssim, ssim_after=after.ssim
    )


def _version(state: State, served: ServedModel) -> int | None:
    """The number of the version that was used, unless its name stands for another one by now."""
    try:
        version = state.catalogue.resolve(served.entry.id)
    except UnknownModelError:
        return None
    return version.version if version.sha256 == served.entry.sha256 else None
