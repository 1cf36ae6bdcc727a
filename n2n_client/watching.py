"""A job as it goes: by its stream of events, or by asking again and again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic, sleep

import httpx

from n2n_client.answers import Event, Job
from n2n_client.event_stream import Message
from n2n_client.transport import Transport
from n2n_core.errors import ServiceError

WAIT_SECONDS = 5
"""How long the service holds back its answer while the job is not done."""

Get = Callable[[float], Job]


def watch(transport: Transport, path: str, get: Get) -> Iterator[Job | Event]:
    """What happens to the job at ``path``, until it is done.

    A stream that breaks is taken up again after the last event that came. Where there is none, or it
    breaks time after time, the job is asked for with ``get``, which takes the seconds to wait.
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
            break  # what is wrong, asking will tell
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
        sleep(max(0.0, pause - (monotonic() - began)))  # where nobody holds the answer back


def _read(message: Message) -> Job | Event:
    try:
        values = json.loads(message.data)
        return Job.read(values) if message.name == "state" else Event(message.name, dict(values))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ServiceError(f"event {message.name!r} is {message.data[:100]!r}", "bad_answer") from error
