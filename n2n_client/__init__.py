"""A small typed client of the service: pictures, datasets and training jobs over HTTP."""

from n2n_client.answers import (
    Check,
    Dataset,
    Denoised,
    DenoiseReport,
    Event,
    Failure,
    Job,
    Model,
    Progress,
    Report,
    Result,
)
from n2n_client.client import URL, Client
from n2n_client.transport import KEY_VARIABLE

__all__ = [
    "KEY_VARIABLE", "URL", "Check", "Client", "Dataset", "DenoiseReport", "Denoised", "Event", "Failure",
    "Job", "Model", "Progress", "Report", "Result",
]  # fmt: skip
