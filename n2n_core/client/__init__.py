"""A small typed client of the service: pictures, datasets and training jobs over HTTP."""

from n2n_core.client.answers import Check, Dataset, Event, Failure, Job, Model, Progress, Report, Result
from n2n_core.client.client import Client

__all__ = [
    "Check", "Client", "Dataset", "Event", "Failure", "Job", "Model", "Progress", "Report", "Result",
]  # fmt: skip
