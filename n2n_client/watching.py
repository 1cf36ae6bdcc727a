"""Following a job by its event stream, or by polling where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic, sleep

import httpx

from n2n_client.answers import Event, Job
from n2n_client.errors import ServiceError
from n2n_client.event_stream import Message
from n2n_client.transport import Transport

WAIT_SECONDS = 5
"""Time that the service holds back its answer to a poll while the job is not done."""

Get = Callable[[float], Job]


def watch(transport: Transport, path: str, get: Get) -> Iterator[Job | Event]:
    """Yield the events and the states of the job at ``path`` until it is done.

    A broken stream is resumed after the last event received. If there is no stream, or it breaks
    repeatedly, the job is polled with ``get``, which takes the seconds to wait.
    """
    known: Job | None = None
    last, failures = None, 0
    while failures <= transport.retries:
        try:
            for message in transport.events(f"{path}/events", last):
                last, failures = message.id or last, 0
                news = _read(message)
                if news != known:
                    yield news
                if isinstance(news, Job):
                    known = news
                    if news.done:
                        return
        except (ServiceError, httpx.ReadTimeout):
            break  # polling will raise if there is a lasting error
        except httpx.RequestError:
            pass
        sleep(transport.backoff(failures))
        failures += 1
    yield from _poll(get, known, transport.pause)


def _poll(get: Get, known: Job | None, pause: float) -> Iterator[Job]:
    while True:
        began = monotonic()
        job = get(WAIT_SECONDS)
        if job != known:
            yield job
        if job.done:
            return
        known = job
        sleep(max(0.0, pause - (monotonic() - began)))  # a proxy may answer at once


def _read(message: Message) -> Job | Event:
    try:
        values = json.loads(message.data)
        return Job.read(values) if message.name == "state" else Event(message.name, dict(values))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ServiceError(
            f"cannot read the event {message.name!r} {message.data[:100]!r}", "bad_answer"
        ) from error
