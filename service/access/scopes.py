"""What each endpoint asks of a key.

It is decided by method and path, before anything of a request is read. What nobody has decided on needs
``admin``; a test goes through all routes, so that a new one is decided on.
"""

from types import MappingProxyType
from typing import Literal, get_args

Scope = Literal["denoise", "train", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MEANINGS: MappingProxyType[Scope, str] = MappingProxyType(
    {
        "denoise": "denoise pictures, see and download models",
        "train": "datasets and training jobs",
        "admin": "upload, promote and delete models, metrics",
    }
)

ASSETS, PAGE = "/docs/assets", "/web"
"""Folders of files that /docs and the page at / are made of."""

OPEN = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
"""Whoever reaches the service may have these: they tell what it is, and whether it runs."""

READING = frozenset({"GET", "HEAD"})
AREAS: MappingProxyType[str, tuple[Scope, Scope]] = MappingProxyType(
    {
        "denoise": ("denoise", "denoise"),
        "models": ("denoise", "admin"),
        "datasets": ("train", "train"),
        "train-jobs": ("train", "train"),
    }
)
"""By a path's first part: what reading needs, and what everything else does."""

UNDECIDED: tuple[Scope, Scope] = ("admin", "admin")


def needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs; None if it needs no key.

    >>> needed("GET", "/models/torch"), needed("DELETE", "/models/torch"), needed("GET", "/healthz")
    ('denoise', 'admin', None)
    """
    if path in OPEN or path.startswith((f"{ASSETS}/", f"{PAGE}/")):
        return None
    reading, other = AREAS.get(path.split("/", 2)[1] if path.startswith("/") else "", UNDECIDED)
    return reading if method in READING else other
