"""Mosec with dynamic batching: its Rust server in front of one process that decodes, runs and encodes.

A bad picture ends in a ``ValidationError`` of ``deserialize``, as Mosec's documentation has it.
"""

import os

import mosec
from mosec.errors import ValidationError

from benchmarks.serving.peers import network
from benchmarks.serving.peers.network import MAX_BATCH, MEDIA_TYPE, PATH, WINDOW_MS
from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image import Picture

TIMEOUT_MS = 600_000


class Denoise(mosec.Worker):
    """Hooks, in the order in which they are called for a request."""

    resp_mime_type = MEDIA_TYPE

    def __init__(self) -> None:
        super().__init__()
        self.network = network.load(os.environ["BENCH_MODEL"], int(os.environ["BENCH_THREADS"]))

    def deserialize(self, data: bytes) -> Picture:
        """Convert a raw body to a picture."""
        try:
            return image.decode(data)
        except ImageError as error:
            raise ValidationError(str(error)) from error

    def forward(self, data: list[Picture]) -> list[Picture]:
        """Denoise a batch."""
        return network.denoise(self.network, data)

    def serialize(self, data: Picture) -> bytes:
        """Convert a picture to the answer."""
        return image.encode(data)


def main() -> None:
    """Serve until killed."""
    options = network.options()
    # Mosec makes the worker itself, in a process of its own, and reads its settings from here.
    os.environ |= {
        "BENCH_MODEL": options.model,
        "BENCH_THREADS": str(options.threads),
        "MOSEC_ADDRESS": "127.0.0.1",
        "MOSEC_PORT": str(options.port),
        "MOSEC_TIMEOUT": str(TIMEOUT_MS),
        "MOSEC_LOG_LEVEL": "error",
    }
    server = mosec.Server()
    server.append_worker(Denoise, max_batch_size=MAX_BATCH, max_wait_time=WINDOW_MS, route=PATH)
    server.run()


if __name__ == "__main__":
    main()
