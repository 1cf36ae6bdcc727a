"""Each dependency alias gives the collaborator that it names."""

from operator import attrgetter
from typing import Any, get_args

import pytest
from starlette.requests import Request

from service.api import dependencies
from service.app import create_app
from service.settings.server import Settings

ALIASES = {name: alias for name, alias in vars(dependencies).items() if name.endswith("Dep")}


@pytest.mark.anyio
@pytest.mark.parametrize("name", ALIASES)
async def test_an_alias_gives_what_it_names(name: str) -> None:
    app = create_app(Settings(device="cpu", train_concurrency=0))
    kind, depends = get_args(ALIASES[name])
    found: Any = await depends.dependency(Request({"type": "http", "app": app}))
    assert type(found) is kind
    path = {"StateDep": "", "SchedulerDep": "pipeline.scheduler", "JobsDep": "jobs"}.get(name)
    if path:
        assert found is attrgetter(path)(app.state.n2n)


@pytest.mark.anyio
async def test_the_ways_to_other_processes_are_not_confused() -> None:
    app, found = create_app(Settings(device="cpu", train_concurrency=0)), list[Any]()
    for name in ("imports", "thumbnails", "checks", "exports"):
        _, depends = get_args(ALIASES[f"{name.capitalize()}Dep"])
        found.append(await depends.dependency(Request({"type": "http", "app": app})))
        assert found[-1] is getattr(app.state.n2n, name)
    assert len({id(getattr(each, "process", each)) for each in found}) == 4
