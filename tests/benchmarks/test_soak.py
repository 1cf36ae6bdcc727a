"""The soak: its rules, a short soak of the real service, and SIGTERM amid requests."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.faults.terminations import terminations
from benchmarks.reliability.answers import WrongError, check_same, drawn
from benchmarks.reliability.resources import Files, Sample, Use, sample
from benchmarks.reliability.service import DEVICE, SERVICE, Service
from benchmarks.soak import __main__ as command
from benchmarks.soak.bad import bad_requests, check_problem
from benchmarks.soak.mixture import Mixture
from benchmarks.soak.outcome import Outcome, Plan
from benchmarks.soak.verdict import FIGURES, not_flat, slope

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
REST = Sample(0, {SERVICE: Use(1, 100, 90, 30, 9), DEVICE: Use(1, 300, 290, 9, 5)}, Files(0, 0), Files(7, 99))


def held(**values: Any) -> Sample:
    """As at rest, but for some of what the service's own process holds."""
    return replace(REST, roles={**REST.roles, SERVICE: replace(REST.roles[SERVICE], **values)})


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        (REST, []),
        (held(rss=180), []),
        (held(rss=191), ["RSS"]),
        (held(pss=180), ["PSS"]),
        (held(descriptors=38), []),
        (held(descriptors=39), ["descriptors"]),
        (held(threads=12), []),
        (held(threads=13), ["threads"]),
        (replace(REST, temporary=Files(1, 0)), ["temporary files"]),
        (replace(REST, data=Files(8, 99)), ["files in the data folder"]),
        (replace(REST, roles={**REST.roles, DEVICE: Use()}), ["processes"]),
    ],
)
def test_what_grew_is_told_by_its_rule(end: Sample, broken: list[str]) -> None:
    found = not_flat([held(threads=12)], REST, end)
    assert len(found) == len(broken)
    assert all(line.startswith(what) for line, what in zip(found, broken, strict=True))


def test_a_slope_is_that_of_the_line() -> None:
    samples = [replace(held(rss=50 + n / 100), requests=n) for n in range(0, 5000, 500)]
    assert slope(samples, FIGURES["RSS, MiB"]) == pytest.approx(100)
    assert slope(samples[:1], FIGURES["RSS, MiB"]) == slope([], FIGURES["RSS, MiB"]) == 0


def test_an_answer_may_be_rounded_otherwise_and_no_more() -> None:
    one, other = {"picture": drawn("png", 32)}, {"picture": drawn("png", 32, seed=1)}
    half = {"picture": one["picture"][:-100]}
    assert check_same("same", one, dict(one))
    for got in (other, half, {"picture": b""}, {}, {"picture": drawn("bmp", 32)}):
        with pytest.raises(WrongError):
            check_same("another", got, one)


def test_a_problem_must_be_the_expected_one() -> None:
    content, headers = b'{"code": "bad_image"}', {"Content-Type": "application/problem+json"}
    check_problem("good", httpx.Response(422, headers=headers, content=content), 422, "bad_image")
    other = httpx.Response(500, headers=headers, content=content)
    for answer in (other, httpx.Response(422, text="bad_image")):
        with pytest.raises(WrongError):
            check_problem("bad", answer, 422, "bad_image")


def test_bad_requests_are_of_every_kind() -> None:
    assert {request.status for request in bad_requests()} == {404, 413, 415, 422}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {**command.SETTINGS, "grace": 20}
    with Service(tmp_path_factory.mktemp("soak"), settings) as service:
        yield service


def planned(service: Service, requests: int, each: int) -> Outcome:
    plan = Plan(requests, warm_up=0, clients=8, rest=0.2, patience=0, round=each)
    return Outcome(plan, Mixture(service, plan.clients))


@pytest.mark.slow
@linux
def test_a_short_soak_finds_nothing_wrong(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TOLD_SECONDS", 0)
    outcome, told = planned(service, 150, each=150), list[str]()
    asyncio.run(command.soak(outcome, lambda outcome: told.append(outcome.progress())))
    assert outcome.mixture.wrong == []
    assert service.faults() == []
    assert outcome.done == outcome.mixture.sent.total() == 150
    assert [rest.requests for rest in outcome.rests] == [0, 150]
    for rest in outcome.rests:
        assert rest.temporary == Files(0, 0)
        assert rest.data.count == outcome.rests[0].data.count
        assert rest.lasting.processes == 2
    assert "of 150 requests, " in told[-1]
    outcome.show()
    shown = capsys.readouterr().out
    assert "RSS, MiB" in shown
    assert shown.splitlines()[-1] == outcome.verdict


@pytest.mark.slow
@linux
def test_a_soak_that_is_cut_has_a_verdict_on_what_was_done(service: Service, tmp_path: Path) -> None:
    outcome = planned(service, 9999, each=9999)

    async def cut() -> None:
        soaking = asyncio.create_task(command.until_told(outcome, lambda outcome: None))
        while outcome.done < 20:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await soaking

    asyncio.run(cut())
    assert outcome.mixture.wrong == []
    assert outcome.verdict.startswith(f"9,999 requests, cut after {outcome.done}: ")
    assert len(outcome.rests) == 2
    outcome.write(tmp_path / "told.json")
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["verdict"], told["done"]) == (outcome.verdict, outcome.done)


@linux
def test_a_soak_whose_service_is_gone_fails(tmp_path: Path) -> None:
    gone = Service(tmp_path, command.SETTINGS)
    gone.url = "http://127.0.0.1:1"
    gone.log.touch()
    outcome = planned(gone, 200, each=200)
    asyncio.run(command.soak(outcome, lambda outcome: None))
    assert not outcome.good
    assert outcome.verdict == "200 requests, cut after 0: 1 failures"


@pytest.mark.slow
@linux
def test_a_sample_sees_what_is_left(service: Service) -> None:
    before = sample(service, 0)
    (service.data / "datasets" / ".left.tmp").write_bytes(b"four")
    (service.temporary / "spooled").write_bytes(b"six...")
    after = sample(service, 0)
    assert after.temporary == Files(before.temporary.count + 2, before.temporary.bytes + 10)
    assert after.data.count == before.data.count + 1
    (service.data / "datasets" / ".left.tmp").unlink()
    (service.temporary / "spooled").unlink()


@pytest.mark.slow
@linux
def test_sigterm_loses_no_request_that_was_admitted(service: Service) -> None:
    tally = asyncio.run(terminations(service, 1, grace=20, stalls=False))
    assert tally.lost == []
    assert tally.tried["requests taken on before, each answered"] == 8
