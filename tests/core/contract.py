"""A small stand-in for the service: its endpoints over a real socket, with faults on demand."""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

TIMES = {"created_at": "2026-11-24T15:00:00Z", "updated_at": "2026-11-24T15:00:01.5+00:00"}
STATE, HANG = "state", b"hang"


def job(id: str = "j1", state: str = "queued", **more: Any) -> dict[str, Any]:
    """A job as the service tells it, with a field that no client knows."""
    done = state in ("succeeded", "failed", "cancelled")
    result = {"model": "mine", "version": 2, "sha256": "ab"} if state == "succeeded" else None
    code = {"failed": "diverged", "cancelled": "cancelled"}.get(state)
    error = {"code": code, "detail": "the loss is not a number", "log_tail": "nan"} if code else None
    progress = {"step": 0, "total_steps": 4, "fraction": 0.0, "eta_seconds": None, "phase": state}
    return {
        "id": id, "name": "mine", "state": state, "done": done, **TIMES, "started_at": None,
        "finished_at": None, "progress": progress, "metrics": {"loss": 0.5, "psnr": 25.0}, "attempt": 1,
        "max_attempts": 3, "spec": {}, "result": result, "error": error,
        "links": {"self": f"/train-jobs/{id}"}, "of_a_later_version": {"a": 1},
    } | more  # fmt: skip


def dataset(id: str = "d1", **more: Any) -> dict[str, Any]:
    check = {"name": "shift", "verdict": "fine", "figure": 0.1, "unit": "px", "message": "none", "advice": ""}
    report = {"verdict": "fine", "checks": [check | {"later": 1}], "scenes": 3}
    return {
        "id": id, "name": "shots", "kind": "pairs", "state": "ready", "counts": {"scenes": 3},
        "report": report, "size": 7,
    } | more  # fmt: skip


def event(name: str, id: int | None = None, /, **values: Any) -> bytes:
    """A server-sent event; those of the log have an id, the job's states have none."""
    number = "" if id is None else f"id: {id}\n"
    data = values if name == STATE else {"event": name, **values}
    return f"event: {name}\ndata: {json.dumps(data)}\n{number}\n".encode()


def problem(status: int, code: str, detail: str, **headers: str) -> Response:
    errors = [{"pointer": "body/lr", "detail": "expected a number above 0"}]
    body = {"title": "t", "status": status, "detail": detail, "code": code, "errors": errors}
    return JSONResponse(body, status, headers, "application/problem+json")


class Contract:
    """What the service knows and has been asked.

    ``faults`` are taken by the next requests, one each: a response instead of the right one; or a word:
    ``drop`` closes the connection before the request is done, ``drop-answer`` after it is done.
    ``streams`` are what the next streams of events send, each then cut off; the last one ends well,
    and ``HANG`` in one is a long silence.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.faults: deque[Response | str] = deque()
        self.streams: deque[list[bytes]] = deque()
        self.keys: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.states: deque[dict[str, Any]] = deque()
        self.forms: list[dict[str, Any]] = []
        self.url = ""

    def asked(self, method: str, path: str) -> list[tuple[dict[str, str], bytes]]:
        """The headers and bodies of these requests, oldest first."""
        return [(headers, body) for m, p, headers, body in self.requests if (m, p) == (method, path)]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def interfere(request: Request, call_next: Any) -> Response:
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            body = b"" if "multipart" in request.headers.get("content-type", "") else await request.body()
            self.requests.append((request.method, path, dict(request.headers), body))
            fault = self.faults.popleft() if self.faults else None
            if isinstance(fault, Response):
                return fault
            if fault == "drop":
                return _cut()
            answer: Response = await call_next(request)
            return _cut() if fault == "drop-answer" else answer

        app.add_api_route("/denoise", self._denoise, methods=["POST"])
        app.add_api_route("/models", self._models, methods=["GET"])
        app.add_api_route("/datasets", self._upload, methods=["POST"])
        app.add_api_route("/datasets", self._datasets, methods=["GET"])
        app.add_api_route("/datasets/{id}", self._dataset, methods=["GET"])
        app.add_api_route("/datasets/{id}", self._gone, methods=["DELETE"])
        app.add_api_route("/train-jobs", self._submit, methods=["POST"])
        app.add_api_route("/train-jobs", self._list, methods=["GET"])
        app.add_api_route("/train-jobs/{id}", self._get, methods=["GET"])
        app.add_api_route("/train-jobs/{id}", self._delete, methods=["DELETE"])
        app.add_api_route("/train-jobs/{id}/events", self._events, methods=["GET"])
        app.add_api_route("/train-jobs/{id}/{verb}", self._act, methods=["POST"])
        return app

    async def _denoise(self, request: Request, model: str = "torch") -> Response:
        if request.query_params.get("report"):
            return await self._denoise_reported(request, model)
        wishes = "".join(f"{request.query_params.get(name, '')}" for name in ("strength", "self_ensemble"))
        return Response(model.encode() + wishes.encode() + await request.body(), media_type="image/png")

    async def _denoise_reported(self, request: Request, model: str) -> Response:
        """Line ends, and what looks like a boundary, are in the picture, too."""
        async with request.form() as form:
            sent = {name: await form[name].read() for name in form}  # type: ignore[union-attr]
        self.forms.append({**request.query_params, **sent})
        report = {"model": model, "noise": {"before": 9.5}, "window": [8, 16], "later": 1}
        contents = {
            'report': json.dumps(report).encode(), 'image"; filename="a.png': b"\r\n--x\r\n" + sent["file"],
        }  # fmt: skip
        if "uncertainty" in request.query_params:
            contents["uncertainty"] = b"\r\n"
        body = b"".join(
            f'--b1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
            for name, content in contents.items()
        )
        return Response(body + b"--b1--\r\n", media_type='multipart/form-data; boundary="b1"')

    async def _models(self) -> Response:
        return JSONResponse({"models": [{"id": "torch", "default": True, "parameters": 7, "later": 1}]})

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            files = [(file.filename, await file.read()) for file in form.getlist("file")]  # type: ignore
            self.forms.append({key: form[key] for key in form if key != "file"} | {"files": files})
        return JSONResponse(dataset(name=self.forms[-1]["name"]), 201)

    async def _datasets(self, page_token: str = "") -> Response:
        return JSONResponse({"datasets": [dataset(page_token or "d1")], "next_page_token": None})

    async def _dataset(self, id: str) -> Response:
        return JSONResponse(dataset(id, report=None, counts=None))

    async def _gone(self, id: str) -> Response:
        return Response(status_code=204)

    async def _submit(self, request: Request) -> Response:
        key = request.headers["idempotency-key"]
        new = job(f"j{len(self.jobs) + 1}", name=(await request.json()).get("name", "shots"))
        made = self.keys.setdefault(key, new)
        self.jobs[made["id"]] = made
        return JSONResponse(made, 202, {"Location": f"/train-jobs/{made['id']}"})

    async def _list(self, state: str = "", page_token: str = "") -> Response:
        found = [each for each in self.jobs.values() if state in ("", each["state"])]
        start = int(page_token or 0)
        more = str(start + 2) if start + 2 < len(found) else None
        return JSONResponse({"jobs": found[start : start + 2], "next_page_token": more})

    async def _get(self, id: str) -> Response:
        if self.states:
            self.jobs[id] = self.states.popleft()
        if id not in self.jobs:
            return problem(404, "unknown_job", f"unknown job {id!r}")
        return JSONResponse(self.jobs[id])

    async def _delete(self, id: str) -> Response:
        if self.jobs.pop(id, None) is None:
            return problem(404, "unknown_job", f"unknown job {id!r}")
        return Response(status_code=204)

    async def _events(self, id: str) -> Response:
        if not self.streams:
            return problem(404, "not_found", "no events here")
        parts = self.streams.popleft()
        return StreamingResponse(
            _parts(parts, cut=bool(self.streams)), media_type="text/event-stream; charset=utf-8"
        )

    async def _act(self, id: str, verb: str) -> Response:
        state = {"cancel": "cancelling", "resume": "queued"}[verb]
        self.jobs[id] = self.jobs[id] | {"state": state}
        return JSONResponse(self.jobs[id], 202)


def _cut() -> Response:
    """An answer that promises more than comes."""
    return StreamingResponse(_parts([b"x"], cut=False), headers={"content-length": "9"})


async def _parts(parts: list[bytes], cut: bool) -> Any:
    for part in parts:
        if part == HANG:
            await asyncio.sleep(60)
        yield part
    if cut:
        raise ConnectionAbortedError  # uvicorn closes the connection amid the chunks


@contextmanager
def serving(contract: Contract) -> Iterator[str]:
    """The contract's URL."""
    config = uvicorn.Config(contract.app(), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            contract.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield contract.url
        finally:
            server.should_exit = True
            thread.join()
