"""All checks of a dataset before training. Each measures one property and gives advice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from n2n_core.datasets.checks import measures
from n2n_core.datasets.checks.alignment import check_shift
from n2n_core.datasets.checks.crops import SCENES, SampledCrops, sample_crops
from n2n_core.datasets.checks.report import Check, CheckName, CheckReport, Verdict
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.thumbnails import crop_sheet

SMALLEST = 16, 32
"""Shortest side in pixels below which the check refuses, and below which it warns."""
IDENTICAL = 0.1
"""Fraction of identical pairs above which the check refuses. It warns of any."""
BIAS = 0.02
"""Largest difference of the shots' means, in standard deviations of the noise."""
FLICKER = 0.25
"""Largest root mean square of that difference over the scenes."""
CLIPPED = 0.03, 0.5
"""Fractions of clipped values above which the check warns, and above which it refuses."""
CORRELATED = {"pairs": 0.3, "bursts": 0.3, "single": 0.2}
"""Largest correlation of the noise of neighbours. It misleads the sub-sampling of single pictures more."""
DEPENDENT = 0.5
"""Largest correlation of the noise of two shots, which is the fraction that they share."""
NOISE = 1.0, 128.0
"""Noise levels, in grey levels of 0 to 255, below and above which there is little to learn."""
FAINT = 0.02
"""Noise relative to the contrast from which on there is enough, whatever its level."""
CLEAN_NOISE = 3.0
"""Noise level, in grey levels of 0 to 255, above which pictures are not clean."""
FALLING = 0.5
"""Least ratio of the noise in the brightest areas to that in the darkest."""
FILLED = 0.15
"""Part of [0, 1] that the values should fill. If they fill less, their scale is probably wrong."""


def check_dataset(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> CheckReport:
    """Run all checks for the dataset's kind, on at most ``scenes`` scenes drawn by ``seed``."""
    crops = sample_crops(dataset, scenes, seed)
    common = [_shape(crops), _range(crops), _clipped(crops)]
    if dataset.left_out[0]:
        common.append(_files(dataset))
    if crops.seconds:
        own = [_identical, _bias, check_shift, _independent, _pair_correlation, _pair_noise, _brightness]
    elif dataset.kind == "clean":
        own = [_cleanness]
    else:
        own = [_single_noise, _single_correlation]
    checks = common + [make(crops) for make in own]
    return CheckReport(dataset.fingerprint, len(crops.scenes), tuple(checks), *crop_sheet(crops))


def _above(figure: float, warn: float, refuse: float = float("inf")) -> Verdict:
    return "refuse" if figure > refuse else "warning" if figure > warn else "fine"


def _check(name: CheckName, verdict: Verdict, figure: float, unit: str, message: str, advice: str) -> Check:
    return Check(name, verdict, round(float(figure), 5), unit, message, "" if verdict == "fine" else advice)


def _shape(crops: SampledCrops) -> Check:
    """Check the sizes. The import already guarantees that the shots of a scene have equal shapes."""
    sizes = {stack.shape[3:] for stack in crops.dataset.stacks}
    smallest = min(min(size) for size in sizes)
    verdict: Verdict = "refuse" if smallest < SMALLEST[0] else "warning" if smallest < SMALLEST[1] else "fine"
    shown = (
        "all pictures have the same size" if len(sizes) == 1 else f"there are pictures of {len(sizes)} sizes"
    )
    message = f"the shots of every scene have the same shape; {shown}, the shortest side is {smallest} pixels"
    advice = f"use pictures of at least {SMALLEST[1]} pixels a side: smaller ones show too little of a scene"
    return _check("shape", verdict, smallest, "pixels", message, advice)


def _files(dataset: Dataset) -> Check:
    """Name the files that were left out. That is harmless, but shows whether a picture is missing."""
    count, names = dataset.left_out
    files = "file was" if count == 1 else "files were"
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in names)
    shown += ", ..." if count > len(names) else ""
    message = f"{count} {files} left out because they are not readable pictures: {shown}"
    return _check("files", "fine", count, "files", message, "")


def _range(crops: SampledCrops) -> Check:
    pictures = crops.pictures + crops.seconds
    low, high = min(float(p.min()) for p in pictures), max(float(p.max()) for p in pictures)
    verdict: Verdict = "warning" if high - low < FILLED else "fine"
    advice = (
        "if the camera stores 10, 12 or 14 bits in 16-bit files, import again and give the value of "
        "white as the data range (4095 for 12 bits)"
    )
    return _check("range", verdict, high - low, "of 1", f"values go from {low:.3f} to {high:.3f}", advice)


def _clipped(crops: SampledCrops) -> Check:
    black, white = measures.clipped_share(crops.pictures + crops.seconds)
    message = f"{black:.2%} of the values are 0 (black) and {white:.2%} are 1 (white)"
    advice = (
        "clipped noise does not average to the scene, so dark areas become too bright and bright areas too "
        "dark: avoid black and white when exposing, keep raw values, or store floats without clipping"
    )
    return _check("clipped", _above(black + white, *CLIPPED), black + white, "share", message, advice)


def _identical(crops: SampledCrops) -> Check:
    same = [
        crops.dataset.scene_name(scene)
        for scene, (a, b) in zip(crops.scenes, crops.pairs, strict=True)
        if np.array_equal(a, b) and np.ptp(a) > 0  # a saturated area may have no noise
    ]
    share = len(same) / len(crops.scenes)
    shown = f": {', '.join(same[:3])}" if same else ""
    message = f"{len(same)} of {len(crops.scenes)} pairs are the same picture twice{shown}"
    advice = "take two different shots of each scene: from a copy, a network learns to change nothing"
    return _check("identical", _above(share, 0, IDENTICAL), share, "share", message, advice)


def _bias(crops: SampledCrops) -> Check:
    sigma = max(measures.pair_sigma(crops.pairs), 1e-6)
    means = np.array([float((a - b).mean(dtype=np.float64)) for a, b in crops.pairs])
    bias = abs(float(means.mean())) / sigma
    spread = float(np.sqrt(np.square(means).mean())) / sigma
    error = _standard_error(means, crops) / sigma
    verdict: Verdict = "warning" if (bias > BIAS and bias > 4 * error) or spread > FLICKER else "fine"
    message = (
        f"the means of the two shots differ by {means.mean() * 255:+.3f} of 255, {bias:.3f} times the noise "
        f"(standard error {error:.3f}); single scenes differ by {spread:.3f} times the noise"
    )
    advice = (
        "use the same exposure, gain and white balance for both shots and a steady light, or subtract the "
        "black level of each picture: a network learns the difference as if it were part of the scene"
    )
    return _check("bias", verdict, bias, "of the noise", message, advice)


def _standard_error(means: NDArray[np.float64], crops: SampledCrops) -> float:
    """Return the standard error of the mean over scenes, or for a single scene that of white noise."""
    if len(means) > 1:
        return float(np.std(means, ddof=1)) / float(np.sqrt(len(means)))
    return measures.pair_sigma(crops.pairs) * float(np.sqrt(2 / crops.pictures[0].size))


def _independent(crops: SampledCrops) -> Check:
    figure = measures.shot_correlation(crops.pairs)
    message = f"in flat areas the noise of the two shots has a correlation of {figure:.2f} (0 if independent)"
    advice = (
        "look for what both shots share: hot pixels or a fixed pattern (subtract a dark frame), the same "
        "file saved twice, one shot made from the other; noise that both share stays in the result"
    )
    return _check("independent", _above(figure, DEPENDENT), figure, "correlation", message, advice)


def _pair_correlation(crops: SampledCrops) -> Check:
    fields = [measures.centred(a - b) for a, b in crops.pairs]
    return _correlation(crops, measures.lag_correlation(fields), "")


def _single_correlation(crops: SampledCrops) -> Check:
    found = measures.lag_correlation(measures.flat_residuals(crops.pictures))
    return _correlation(crops, found, ", measured in the flattest areas")


def _correlation(crops: SampledCrops, found: tuple[float, float], caution: str) -> Check:
    figure = max(found, key=abs)
    verdict = _above(abs(figure), CORRELATED[crops.dataset.kind])
    message = (
        f"the noise of neighbouring pixels has a correlation of {found[0]:.2f} along rows "
        f"and {found[1]:.2f} along columns{caution}"
    )
    advice = (
        "use raw sensor values: JPEG, resizing, sharpening, demosaicing and a camera's noise reduction "
        "spread noise over neighbouring pixels, and a network takes such grain for texture"
    )
    if crops.dataset.kind == "single":
        advice += "; halving the size of the pictures (the mean of 2 x 2 pixels) reduces the correlation"
    return _check("correlation", verdict, figure, "correlation", message, advice)


def _pair_noise(crops: SampledCrops) -> Check:
    return _noise(crops, measures.pair_sigma(crops.pairs), "measured by the difference of the shots")


def _single_noise(crops: SampledCrops) -> Check:
    return _noise(crops, measures.blind_sigma(crops.pictures), "measured in the flattest areas")


def _noise(crops: SampledCrops, sigma: float, how: str) -> Check:
    figure = sigma * 255
    dark, light = np.percentile(np.concatenate([picture.ravel() for picture in crops.pictures]), (1, 99))
    contrast = max(float(light - dark), 1e-6)
    hardly_any = figure < NOISE[0] and sigma < FAINT * contrast
    verdict: Verdict = "warning" if hardly_any or figure > NOISE[1] else "fine"
    advice = (
        "there is hardly any noise to learn from: check that the shots were not denoised or averaged"
        if hardly_any
        else "the noise hides the scene: average several shots, or add many more scenes"
    )
    share = f", {sigma / contrast:.1%} of the contrast" if figure < NOISE[0] else ""
    message = f"the noise has a standard deviation of {figure:.2f} of 255{share}, {how}"
    return _check("noise", verdict, figure, "of 255", message, advice)


def _cleanness(crops: SampledCrops) -> Check:
    figure = measures.blind_sigma(crops.pictures) * 255
    message = (
        f"the pictures themselves have noise with a standard deviation of {figure:.2f} of 255, measured in "
        "the flattest areas"
    )
    advice = (
        "noise in the clean pictures stays in the results: use pictures with less noise, or reduce their "
        "size; if there is fine texture everywhere, this measurement means nothing"
    )
    return _check("noise", _above(figure, CLEAN_NOISE), figure, "of 255", message, advice)


def _brightness(crops: SampledCrops) -> Check:
    line = measures.variance_line(crops.pairs)
    dark, bright = line.sigma(line.darkest), line.sigma(line.brightest)
    ratio = bright / dark if dark > 0 else float(np.inf if bright else 1)
    verdict: Verdict = "warning" if ratio < FALLING else "fine"
    message = (
        f"the noise is {dark * 255:.2f} of 255 in the darkest areas and {bright * 255:.2f} in the brightest: "
        f"variance = {line.gain:.3g} x brightness {'+' if line.read >= 0 else '-'} {abs(line.read):.3g}"
    )
    advice = (
        "noise that decreases with brightness comes from clipping at white or from a tone curve, and no "
        "longer averages to the scene: export linear (raw) values without a curve"
    )
    return _check("brightness", verdict, line.gain, "variance per brightness", message, advice)
