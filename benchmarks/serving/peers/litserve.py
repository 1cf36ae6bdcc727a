"""LitServe with dynamic batching, ZeroMQ between its processes, and its own hooks for the codec.

A bad picture ends in an ``HTTPException`` of ``decode_request``, as LitServe's documentation has it.
"""

from typing import Annotated

import litserve
from fastapi import Body, HTTPException, Response
from torch import nn

from benchmarks.serving.peers import network
from benchmarks.serving.peers.network import MAX_BATCH, MEDIA_TYPE, PATH, WINDOW_MS
from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image import Picture


class Api(litserve.LitAPI):
    """Hooks, in the order in which they are called for a request."""

    def __init__(self, model: str, threads: int) -> None:
        super().__init__(max_batch_size=MAX_BATCH, batch_timeout=WINDOW_MS / 1000, api_path=PATH)
        self.name, self.threads = model, threads

    def setup(self, device: str) -> None:
        """Load the model, in the worker's process."""
        self.network: nn.Module = network.load(self.name, self.threads)

    def decode_request(self, request: Annotated[bytes, Body(media_type=MEDIA_TYPE)]) -> Picture:
        """Convert a raw body to a picture."""
        try:
            return image.decode(request)
        except ImageError as error:
            raise HTTPException(422, str(error)) from error

    def batch(self, inputs: list[Picture]) -> list[Picture]:
        """Do not stack the pictures: ``predict`` stacks those of equal shape."""
        return inputs

    def predict(self, pictures: list[Picture]) -> list[Picture]:
        """Denoise a batch."""
        return network.denoise(self.network, pictures)

    def unbatch(self, output: list[Picture]) -> list[Picture]:
        """Return the results unchanged, as they are not stacked."""
        return output

    def encode_response(self, output: Picture) -> Response:
        """Convert a picture to the answer."""
        return Response(image.encode(output), media_type=MEDIA_TYPE)


def main() -> None:
    """Serve until killed."""
    options = network.options()
    api = Api(options.model, options.threads)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, timeout=False, fast_queue=True)
    server.run(
        host="127.0.0.1", port=options.port, num_api_servers=1, generate_client_file=False, access_log=False
    )


if __name__ == "__main__":
    main()
