"""Plain FastAPI: decode, run and encode each request alone, in a thread."""

import uvicorn
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response

from benchmarks.serving.peers import network
from benchmarks.serving.peers.network import MEDIA_TYPE, PATH, Options
from n2n_core.errors import ImageError

AT_ONCE = 2
"""Number of threads: one request's codec runs beside another's network. More threads are slower."""


def create_app(options: Options) -> FastAPI:
    """Return the app with its model loaded."""
    model = network.load(options.model, options.threads)
    app, limiter = FastAPI(), CapacityLimiter(AT_ONCE)

    @app.post(PATH)
    async def denoise(request: Request) -> Response:
        data = await request.body()
        try:
            answer = await run_sync(network.denoise_file, model, data, limiter=limiter)
        except ImageError as error:
            return Response(str(error), 422)
        return Response(answer, media_type=MEDIA_TYPE)

    return app


def main() -> None:
    """Serve until killed."""
    options = network.options()
    uvicorn.run(create_app(options), host="127.0.0.1", port=options.port, access_log=False)


if __name__ == "__main__":
    main()
