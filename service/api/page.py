"""The page at ``/``: files of ours, without a build step, that need no other site."""

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
"""Scripts and styles are files of ours; pictures may be those that the visitor brought (``blob:``)."""

mimetypes.add_type("text/javascript", ".js")  # whatever the machine's own table has for it


class PageFiles(StaticFiles):
    """The page's files: kept by browsers, which ask each time whether there are newer ones."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or word that the browser has it already."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update({"Cache-Control": "no-cache", "Content-Security-Policy": POLICY})
        return response


_files = PageFiles(directory=FOLDER)
files = GZipMiddleware(_files)
"""The files, compressed where the browser can take it."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """The page itself."""
    return await _files.get_response("index.html", request.scope)
