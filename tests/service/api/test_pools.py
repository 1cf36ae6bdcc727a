"""Slow calls of one kind keep no other kind waiting, and those that nobody waits for are not made."""

import asyncio
import threading

import pytest

from service.api.train_jobs import outputs
from tests.service.api.test_datasets import pairs, send
from tests.service.serving import unstarted

pytestmark = pytest.mark.anyio

MANY = 60
"""More than all threads of the framework's own pool."""


class Stuck:
    """A call that ends when it is told to."""

    def __init__(self) -> None:
        self.go, self.begun, self.calls = threading.Event(), threading.Event(), 0

    def __call__(self, *arguments: object) -> bytes:
        self.calls += 1
        self.begun.set()
        self.go.wait(60)
        return b""


async def test_thumbnails_and_plots_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, shrinking = Stuck(), Stuck()
    monkeypatch.setattr(outputs, "_draw", drawing)
    async with unstarted() as (client, state):
        dataset = (await send(client, ("a.zip", pairs()))).json()["id"]
        job = (await client.post("/train-jobs", json={"dataset": dataset, "model": "scratch"})).json()["id"]
        monkeypatch.setattr(state.thumbnails.process, "run", shrinking)
        paths = [f"/datasets/{dataset}/thumbnails/0.png", f"/train-jobs/{job}/plots/loss.png"]
        waiting = [asyncio.create_task(client.get(path)) for path in paths * MANY]
        while not (drawing.begun.is_set() and shrinking.begun.is_set()):
            await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            for path in ("/datasets", f"/train-jobs/{job}", f"/train-jobs/{job}/metrics", "/docs"):
                assert (await client.get(path)).status_code == 200
            assert (await send(client, ("a.zip", pairs()))).status_code == 201
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        drawing.go.set()
        shrinking.go.set()
        assert (await client.get(paths[0])).status_code == 200
        assert (await client.get(paths[1])).status_code == 200
    assert drawing.calls <= 3
    assert shrinking.calls <= 4
