"""The scope that each endpoint requires of a key.

Method and path determine it, before a request is read. Unlisted paths require ``admin``; a test checks that
every route is listed.
"""

from types import MappingProxyType
from typing import Literal, get_args

Scope = Literal["denoise", "train", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MEANINGS: MappingProxyType[Scope, str] = MappingProxyType(
    {
        "denoise": "denoise images, list and download models",
        "train": "use datasets and training jobs",
        "admin": "upload, promote and delete models, read metrics",
    }
)

ASSETS, PAGE = "/docs/assets", "/web"
"""Paths of the static files for /docs and for the page at /."""

OPEN = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
"""Paths that need no key: the page, the documentation and the health checks."""

READING = frozenset({"GET", "HEAD"})
AREAS: MappingProxyType[str, tuple[Scope, Scope]] = MappingProxyType(
    {
        "denoise": ("denoise", "denoise"),
        "models": ("denoise", "admin"),
        "datasets": ("train", "train"),
        "train-jobs": ("train", "train"),
    }
)
"""Scopes for reading and for everything else, by the first part of the path."""

UNDECIDED: tuple[Scope, Scope] = ("admin", "admin")


def needed(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs, or None if it needs no key.

    >>> needed("GET", "/models/torch"), needed("DELETE", "/models/torch"), needed("GET", "/healthz")
    ('denoise', 'admin', None)
    """
    if path in OPEN or path.startswith((f"{ASSETS}/", f"{PAGE}/")):
        return None
    reading, other = AREAS.get(path.split("/", 2)[1] if path.startswith("/") else "", UNDECIDED)
    return reading if method in READING else other
