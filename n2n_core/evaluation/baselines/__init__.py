"""Classical denoisers to compare networks with. Each gets the picture and its noise level.

They come from third-party libraries, which are imported when a baseline first runs and are optional.

>>> find("nlm").title
'non-local means (scikit-image)'
"""

from __future__ import annotations

from n2n_core.errors import ConfigError
from n2n_core.evaluation.baselines.baseline import Array, Baseline
from n2n_core.evaluation.baselines.block_matching import bm3d
from n2n_core.evaluation.baselines.opencv import fast_nlm
from n2n_core.evaluation.baselines.scikit import nlm, tv, wavelet

__all__ = ["ALL", "BASELINES", "Array", "Baseline", "chosen", "find"]

EXTRA = "pip install 'n2n[baselines]'"
BM3D = "pip install bm3d; its licence, Tampere University's, allows non-commercial use only"

BASELINES: dict[str, Baseline] = {
    "wavelet": Baseline("wavelet shrinkage (scikit-image)", wavelet, ("skimage", "pywt"), EXTRA),
    "nlm": Baseline("non-local means (scikit-image)", nlm, ("skimage",), EXTRA),
    "tv": Baseline("total variation (scikit-image)", tv, ("skimage",), EXTRA),
    "fast-nlm": Baseline("non-local means (OpenCV)", fast_nlm, ("cv2",), EXTRA),
    "bm3d": Baseline("block matching and 3D filtering (Tampere University)", bm3d, ("bm3d",), BM3D),
}

ALL = "all"
"""Name for all baselines that are installed."""


def find(name: str) -> Baseline:
    """Return the baseline called ``name``.

    Raises:
        ConfigError: there is none; the message lists the known ones.
    """
    if name not in BASELINES:
        raise ConfigError(f"unknown baseline {name!r}; known baselines: {', '.join(BASELINES)}")
    return BASELINES[name]


def chosen(names: list[str]) -> dict[str, Baseline]:
    """Return the baselines called ``names``, each once; ``all`` stands for those that are installed.

    Raises:
        ConfigError: a name is unknown, or its library is not installed.
    """
    found: dict[str, Baseline] = {}
    for name in names:
        if name == ALL:
            found |= {key: baseline for key, baseline in BASELINES.items() if not baseline.missing()}
        elif lacks := find(name).missing():
            raise ConfigError(f"baseline {name!r} needs {' and '.join(lacks)}: {BASELINES[name].install}")
        else:
            found[name] = BASELINES[name]
    return found
