"""Datasets: import from what people have, read in parts, check before training."""

from n2n_core.datasets.archives import Limits
from n2n_core.datasets.checks import check
from n2n_core.datasets.dataset import MANIFEST, Dataset
from n2n_core.datasets.importing import Options, import_dataset
from n2n_core.datasets.naming import KINDS
from n2n_core.datasets.statistics import Statistics, statistics
from n2n_core.datasets.thumbnails import contact_sheet, thumbnail
from n2n_core.report import Check, Report

__all__ = [
    "KINDS",
    "MANIFEST",
    "Check",
    "Dataset",
    "Limits",
    "Options",
    "Report",
    "Statistics",
    "check",
    "contact_sheet",
    "import_dataset",
    "statistics",
    "thumbnail",
]
