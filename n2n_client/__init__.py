"""A small typed client of the service: denoise pictures, upload datasets and run training jobs over HTTP."""

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
from n2n_client.errors import ArgumentError, ClientError, ServiceError
from n2n_client.transport import KEY_VARIABLE
from n2n_client.version import __version__

__all__ = [
    "KEY_VARIABLE", "URL", "ArgumentError", "Check", "Client", "ClientError", "Dataset", "DenoiseReport",
    "Denoised", "Event", "Failure", "Job", "Model", "Progress", "Report", "Result", "ServiceError",
    "__version__",
]  # fmt: skip
