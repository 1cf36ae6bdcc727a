"""The installed uvicorn and httptools have the attributes that ``Connection`` uses.

What the connection does is tested on the wire, in ``tests/hostile``.
"""

import ast
import asyncio
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import httptools
import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.protocols.http import httptools_impl
from uvicorn.server import ServerState

from service import server
from service.http import protocol
from service.http.protocol import Connection

UPSTREAM = httptools_impl.HttpToolsProtocol
SOURCE = ast.parse(Path(protocol.__file__).read_text())


def used_of(name: str) -> set[str]:
    """Every ``X`` in ``name.X`` and ``self.name.X`` of the module."""
    return {
        node.attr
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (name, f"self.{name}")
    }


def own() -> set[str]:
    """What ``Connection`` itself defines and sets."""
    targets = {
        node.attr
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }
    return (set(vars(Connection)) | targets) - {"parser", "pipeline"}  # set by uvicorn, too


def missing(thing: object, names: set[str]) -> list[str]:
    return sorted(name for name in names if not hasattr(thing, name))


class Transport(asyncio.Transport):
    """A connection without a network."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.anyio
async def test_uvicorn_has_what_the_connection_reads() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        await asyncio.sleep(0)

    config = uvicorn.Config(app, http=UPSTREAM, lifespan="off")
    config.load()
    upstream = UPSTREAM(config, ServerState(), {})
    upstream.connection_made(Transport())
    upstream.data_received(b"GET / HTTP/1.1\r\nHost: n2n\r\n\r\n")
    assert missing(upstream, used_of("self") - own()) == []
    assert missing(upstream.cycle, used_of("cycle")) == []
    assert missing(upstream.parser, used_of("parser")) == []
    upstream.cycle.disconnected = True
    upstream.connection_lost(None)


def test_uvicorn_has_what_is_overridden() -> None:
    """A method that uvicorn or httptools never calls would bound nothing."""
    public = {name for name in vars(Connection) if not name.startswith("_")}
    assert "on_headers_complete" in public
    assert missing(UPSTREAM, public) == []
    assert missing(uvicorn.Server, {name for name in vars(server.Server) if not name.startswith("_")}) == []


def test_httptools_has_what_is_used() -> None:
    assert missing(httptools, used_of("httptools")) == []
    assert {"HttpRequestParser", "HttpParserUpgrade"} <= used_of("httptools")
    assert httptools_impl.STATUS_LINE[431]


def test_what_is_missing_is_named() -> None:
    assert missing(SimpleNamespace(parser=None), {"cycle", "parser", "pipeline"}) == ["cycle", "pipeline"]


@pytest.mark.parametrize("name", ["uvicorn", "httptools"])
def test_only_versions_that_were_tested_are_installed(name: str) -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    declared = next(found for found in map(Requirement, project["dependencies"]) if found.name == name)
    assert any(bound.operator == "<" for bound in declared.specifier)
    assert version(name) in declared.specifier
