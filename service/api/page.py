"""The page at ``/``: static files without a build step, which load nothing from other sites."""

import mimetypes
from os import PathLike, stat_result
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parents[1] / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""Scripts and styles come from this service only; pictures may be the visitor's own (``blob:``)."""

mimetypes.add_type("text/javascript", ".js")  # some systems map it to another type


class PageFiles(StaticFiles):
    """The page's files. Browsers cache them, but revalidate them on each use."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return the file, or 304 if the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update({"Cache-Control": "no-cache", "Content-Security-Policy": POLICY})
        return response


_files = PageFiles(directory=FOLDER)
files = GZipMiddleware(_files)
"""The files, compressed if the browser accepts gzip."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """Serve the page."""
    return await _files.get_response("index.html", request.scope)
