"""Checks before training: what is wrong with the data, how much, and what to do about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from n2n_core.datasets.checks import measures
from n2n_core.datasets.checks.alignment import check_shift
from n2n_core.datasets.checks.evidence import SCENES, Evidence, gather
from n2n_core.datasets.checks.report import Check, Report, Verdict
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.thumbnails import evidence_sheet

SMALLEST = 16, 32
"""Sides in pixels below which a dataset is refused, and warned of."""
IDENTICAL = 0.1
"""Share of identical pairs above which a dataset is refused; any are warned of."""
BIAS = 0.02
"""Difference of the shots' means, in standard deviations of the noise."""
FLICKER = 0.25
"""The same, from scene to scene, as root of the mean square."""
CLIPPED = 0.03, 0.5
"""Shares of clipped values above which a dataset is warned of, and refused."""
CORRELATED = {"pairs": 0.3, "bursts": 0.3, "single": 0.2}
"""Correlation of neighbours' noise; single pictures are trained by sub-sampling, which it misleads."""
DEPENDENT = 0.5
"""Correlation of the two shots' noise, which is the share of it that both have."""
NOISE = 1.0, 128.0
"""Noise levels, of 255, below and above which there is little to learn."""
FAINT = 0.02
"""Noise, of the difference of dark and light, from which on there is enough of it whatever its level."""
CLEAN_NOISE = 3.0
"""The same, above which pictures are not clean."""
FALLING = 0.5
"""Noise in the brightest areas, in that of the darkest."""
FILLED = 0.15
"""Range of the values, of the whole, below which their scale is probably wrong."""


def check(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> Report:
    """All checks for the dataset's kind, on at most ``scenes`` scenes drawn by ``seed``."""
    evidence = gather(dataset, scenes, seed)
    common = [_shape(evidence), _range(evidence), _clipped(evidence)]
    if dataset.left_out[0]:
        common.append(_files(dataset))
    if evidence.seconds:
        own = [_identical, _bias, check_shift, _independent, _pair_correlation, _pair_noise, _brightness]
    elif dataset.kind == "clean":
        own = [_cleanness]
    else:
        own = [_single_noise, _single_correlation]
    checks = common + [make(evidence) for make in own]
    return Report(dataset.fingerprint, len(evidence.scenes), tuple(checks), evidence_sheet(evidence))


def _above(figure: float, warn: float, refuse: float = float("inf")) -> Verdict:
    return "refuse" if figure > refuse else "warning" if figure > warn else "fine"


def _check(name: str, verdict: Verdict, figure: float, unit: str, message: str, advice: str) -> Check:
    return Check(name, verdict, round(float(figure), 5), unit, message, "" if verdict == "fine" else advice)


def _shape(evidence: Evidence) -> Check:
    """Stacks hold shots of one shape, so that sizes are what is left to judge."""
    sizes = {stack.shape[3:] for stack in evidence.dataset.stacks}
    smallest = min(min(size) for size in sizes)
    verdict: Verdict = "refuse" if smallest < SMALLEST[0] else "warning" if smallest < SMALLEST[1] else "fine"
    shown = "all pictures have one size" if len(sizes) == 1 else f"there are {len(sizes)} sizes of pictures"
    message = f"the shots of every scene have the same shape; {shown}, the shortest side is {smallest} pixels"
    advice = f"use pictures of at least {SMALLEST[1]} pixels a side: smaller ones show a network too little"
    return _check("shape", verdict, smallest, "pixels", message, advice)


def _files(dataset: Dataset) -> Check:
    """Told alone: notes beside pictures harm nothing, and what is missed is found here."""
    count, names = dataset.left_out
    files = "file was" if count == 1 else "files were"
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in names)
    shown += ", ..." if count > len(names) else ""
    message = f"{count} {files} left out, as no pictures that can be read: {shown}"
    return _check("files", "fine", count, "files", message, "")


def _range(evidence: Evidence) -> Check:
    pictures = evidence.pictures + evidence.seconds
    low, high = min(float(p.min()) for p in pictures), max(float(p.max()) for p in pictures)
    verdict: Verdict = "warning" if high - low < FILLED else "fine"
    advice = (
        "if the camera gives 10, 12 or 14 bits in 16-bit files, import again and give the value of "
        "white as data range (12 bits: 4095)"
    )
    return _check("range", verdict, high - low, "of 1", f"values go from {low:.3f} to {high:.3f}", advice)


def _clipped(evidence: Evidence) -> Check:
    black, white = measures.clipped_share(evidence.pictures + evidence.seconds)
    message = f"{black:.2%} of the values are 0 (black) and {white:.2%} are 1 (white)"
    advice = (
        "cut-off noise does not average to the scene, so dark areas come out too bright and bright ones "
        "too dark: expose between the ends, keep raw values, or store noisy floats unclipped"
    )
    return _check("clipped", _above(black + white, *CLIPPED), black + white, "share", message, advice)


def _identical(evidence: Evidence) -> Check:
    same = [
        evidence.dataset.scene_name(scene)
        for scene, (a, b) in zip(evidence.scenes, evidence.pairs, strict=True)
        if np.array_equal(a, b) and np.ptp(a) > 0  # an even area may have no noise
    ]
    share = len(same) / len(evidence.scenes)
    shown = f": {', '.join(same[:3])}" if same else ""
    message = f"{len(same)} of {len(evidence.scenes)} pairs are the same picture twice{shown}"
    advice = "give two different shots of each scene: from a copy, a network learns to change nothing"
    return _check("identical", _above(share, 0, IDENTICAL), share, "share", message, advice)


def _bias(evidence: Evidence) -> Check:
    sigma = max(measures.pair_sigma(evidence.pairs), 1e-6)
    means = np.array([float((a - b).mean(dtype=np.float64)) for a, b in evidence.pairs])
    bias = abs(float(means.mean())) / sigma
    spread = float(np.sqrt(np.square(means).mean())) / sigma
    error = _standard_error(means, evidence) / sigma
    verdict: Verdict = "warning" if (bias > BIAS and bias > 4 * error) or spread > FLICKER else "fine"
    message = (
        f"the shots' means differ by {means.mean() * 255:+.3f} of 255, {bias:.3f} of the noise "
        f"(standard error {error:.3f}); from scene to scene by {spread:.3f} of it"
    )
    advice = (
        "use the same exposure, gain and white balance for both shots and a steady light, or subtract "
        "each picture's black level: a network learns the difference as if it were part of the scene"
    )
    return _check("bias", verdict, bias, "of the noise", message, advice)


def _standard_error(means: NDArray[np.float64], evidence: Evidence) -> float:
    """Of the mean over scenes; of one scene, what white noise has."""
    if len(means) > 1:
        return float(np.std(means, ddof=1)) / float(np.sqrt(len(means)))
    return measures.pair_sigma(evidence.pairs) * float(np.sqrt(2 / evidence.pictures[0].size))


def _independent(evidence: Evidence) -> Check:
    figure = measures.shot_correlation(evidence.pairs)
    message = f"in flat areas the noise of the two shots has a correlation of {figure:.2f} (0 is independent)"
    advice = (
        "look for what both shots share: hot pixels or a fixed pattern (subtract a dark frame), the same "
        "file saved twice, one shot made from the other; what they share stays in the result"
    )
    return _check("independent", _above(figure, DEPENDENT), figure, "correlation", message, advice)


def _pair_correlation(evidence: Evidence) -> Check:
    fields = [measures.centred(a - b) for a, b in evidence.pairs]
    return _correlation(evidence, measures.lag_correlation(fields), "")


def _single_correlation(evidence: Evidence) -> Check:
    found = measures.lag_correlation(measures.flat_residuals(evidence.pictures))
    return _correlation(evidence, found, ", as far as the flattest areas tell")


def _correlation(evidence: Evidence, found: tuple[float, float], caution: str) -> Check:
    figure = max(found, key=abs)
    verdict = _above(abs(figure), CORRELATED[evidence.dataset.kind])
    message = (
        f"the noise of neighbours has a correlation of {found[0]:.2f} along rows "
        f"and {found[1]:.2f} along columns{caution}"
    )
    advice = (
        "use pictures as the sensor gives them: JPEG, resizing, sharpening, demosaicing or a camera's own "
        "noise reduction spread noise over neighbours, and a network takes such grain for texture"
    )
    if evidence.dataset.kind == "single":
        advice += "; pictures of half the size (the mean of 2 x 2 pixels) are less correlated"
    return _check("correlation", verdict, figure, "correlation", message, advice)


def _pair_noise(evidence: Evidence) -> Check:
    return _noise(evidence, measures.pair_sigma(evidence.pairs), "by the difference of the shots")


def _single_noise(evidence: Evidence) -> Check:
    return _noise(evidence, measures.blind_sigma(evidence.pictures), "by the flattest areas")


def _noise(evidence: Evidence, sigma: float, how: str) -> Check:
    figure = sigma * 255
    dark, light = np.percentile(np.concatenate([picture.ravel() for picture in evidence.pictures]), (1, 99))
    contrast = max(float(light - dark), 1e-6)
    hardly_any = figure < NOISE[0] and sigma < FAINT * contrast
    verdict: Verdict = "warning" if hardly_any or figure > NOISE[1] else "fine"
    advice = (
        "there is hardly any noise to learn from: check that the shots were not denoised or averaged"
        if hardly_any
        else "the noise drowns the scene: average several shots, or bring many more scenes"
    )
    share = f", {sigma / contrast:.1%} of the contrast" if figure < NOISE[0] else ""
    message = f"the noise has a standard deviation of {figure:.2f} of 255{share}, {how}"
    return _check("noise", verdict, figure, "of 255", message, advice)


def _cleanness(evidence: Evidence) -> Check:
    figure = measures.blind_sigma(evidence.pictures) * 255
    message = (
        f"the pictures' own noise has a standard deviation of {figure:.2f} of 255, by the flattest areas"
    )
    advice = (
        "what is in the clean pictures stays in the results: use pictures with less noise, or reduce them "
        "in size; of fine texture everywhere, this figure says nothing"
    )
    return _check("noise", _above(figure, CLEAN_NOISE), figure, "of 255", message, advice)


def _brightness(evidence: Evidence) -> Check:
    line = measures.variance_line(evidence.pairs)
    dark, bright = line.sigma(line.darkest), line.sigma(line.brightest)
    ratio = bright / dark if dark > 0 else float(np.inf if bright else 1)
    verdict: Verdict = "warning" if ratio < FALLING else "fine"
    message = (
        f"noise is {dark * 255:.2f} of 255 in the darkest areas and {bright * 255:.2f} in the brightest: "
        f"variance = {line.gain:.3g} x brightness {'+' if line.read >= 0 else '-'} {abs(line.read):.3g}"
    )
    advice = (
        "noise that falls with brightness comes from clipping at white or from a tone curve, after which "
        "it no longer averages to the scene: export linear values (raw) without a curve"
    )
    return _check("brightness", verdict, line.gain, "variance per brightness", message, advice)
