"""Check that a server returns the same picture as the library."""

from __future__ import annotations

import torch

from benchmarks.serving import client
from benchmarks.serving.servers import Running
from n2n_core import image
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights


def largest_difference(server: Running, picture: bytes) -> int:
    """Return the largest difference from the library's result in grey levels. Rounding may make it 1."""
    answer = torch.from_numpy(image.decode(client.ask(server.port, server.path, picture).body).colour)
    denoiser = Denoiser.load(weights.find(server.model).path, "cpu", engine="torch")
    expected = denoiser(torch.from_numpy(image.decode(picture).colour)[None])[0]
    return int((to_bytes(answer).int() - to_bytes(expected).int()).abs().max())
