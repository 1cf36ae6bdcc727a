"""The load benchmark: its parts without a server, and (slow) all of it against our service."""

import os
import subprocess
import sys
from math import isnan, nan
from pathlib import Path

import pytest

from benchmarks.serving import awkward, client, load, procfs, servers, table
from benchmarks.serving.__main__ import compare
from benchmarks.serving.client import NO_ANSWER, PNG, Answer
from benchmarks.serving.load import Result
from benchmarks.serving.peers import network
from benchmarks.serving.pictures import corrupt, png
from benchmarks.serving.procfs import Stat
from n2n_core import image
from n2n_core.errors import ImageError


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5], 50, 5), ([3, 1, 2, 4], 50, 2), ([3, 1, 2, 4], 51, 3), (range(1, 101), 99, 99), ([1, 2], 100, 2)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, expected: float) -> None:
    assert table.percentile(values, share) == expected


def test_of_nothing_there_is_no_percentile() -> None:
    assert isnan(table.percentile([], 50))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234"), (-0.5, "-0.50"), (7, "7"), ("x", "x"), (nan, "-")],
)
def test_numbers_are_short(value: table.Cell, expected: str) -> None:
    assert table.text(value) == expected


def test_words_stand_left_and_numbers_right(capsys: pytest.CaptureFixture[str]) -> None:
    table.Table({"server": 8, "ms": 6}, left=1).row("n2n", 1.5)
    assert capsys.readouterr().out == "server       ms\nn2n        1.50\n"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        table.Table({"server": 8, "ms": 6}, left=1).row("n2n")


def test_a_stat_line_is_read_past_a_strange_name() -> None:
    found = procfs.parse_stat("42 (a b) (c)) S 7 7 7 0 -1 0 0 0 0 0 100 50 20 10 20 0 4 0 9999 1000 200\n")
    assert (found.pid, found.parent) == (42, 7)
    assert found.cpu == pytest.approx(180 * procfs.TICK)


def test_this_processs_own_line_says_what_the_system_says() -> None:
    found, times = procfs.parse_stat(Path("/proc/self/stat").read_text()), os.times()
    assert (found.pid, found.parent) == (os.getpid(), os.getppid())
    assert found.cpu == pytest.approx(sum(times[:4]), abs=0.1)


def test_memory_is_read_and_an_ending_process_has_none() -> None:
    assert procfs.parse_status("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n") == (1, 2)
    assert procfs.parse_status("Name:\tx\nState:\tZ (zombie)\n") == (0, 0)


def test_a_tree_holds_grandchildren_in_any_order_and_nobody_else() -> None:
    stats = [Stat(4, 3, 0), Stat(3, 2, 0), Stat(2, 1, 0), Stat(9, 1, 0), Stat(1, 0, 0)]
    assert {stat.pid for stat in procfs.tree(2, stats)} == {2, 3, 4}


def test_usage_counts_a_child() -> None:
    code = "block = bytearray(b'x') * (64 << 20); print('made', flush=True); input()"
    command = [sys.executable, "-c", code]
    before = procfs.usage(os.getpid())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        held = procfs.usage(os.getpid())
        process.communicate(b"\n")
    assert held.rss > before.rss + 60
    assert held.peak >= held.rss - 1
    assert held.cpu >= before.cpu


def test_a_request_is_framed_with_its_length() -> None:
    head, _, body = client.frame("/denoise?model=torch", b"\r\n\r\nx").partition(b"\r\n\r\n")
    assert head.startswith(b"POST /denoise?model=torch HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert head.endswith(b"Content-Type: image/png\r\nContent-Length: 5")
    assert body == b"\r\n\r\nx"


def test_an_answers_header_is_read() -> None:
    assert client.parse_head(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\nX: a:b\r\n\r\n") == (200, 12, True)
    closing = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"
    assert client.parse_head(closing) == (503, 0, False)
    with pytest.raises(ValueError, match=r"no Content-Length: 'HTTP/1\.1 200 OK'"):
        client.parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_nobody_listening_is_an_answer_too() -> None:
    answer = client.ask(servers._free_port(), "/denoise", b"")
    assert answer.status == NO_ANSWER
    assert not answer.good


def test_only_a_picture_is_a_good_answer() -> None:
    assert Answer(200, PNG + b"...", 0, 1).good
    assert not Answer(200, b"{}", 0, 1).good
    assert not Answer(503, PNG, 0, 1).good


def test_quantiles_are_of_good_answers_alone() -> None:
    counts = load.count([Answer(200, PNG, 1, 1.5), Answer(200, PNG, 2, 2.25), Answer(503, b"", 0, 9)], 2)
    assert (counts.requests, counts.errors, counts.p50, counts.p99) == (3, 1, 250, 500)


def test_the_line_of_wrk_is_read_past_its_own_report() -> None:
    line = '{"requests": 10, "microseconds": 2000000, "p50": 1500, "p95": 2000, "p99": 3000, "errors": 1}'
    counts = load.parse_wrk(f"Running 2s test\n  10 requests\n{line}\n")
    assert (counts.requests, counts.errors, counts.seconds) == (10, 1, 2)
    assert (counts.p50, counts.p95, counts.p99) == (1.5, 2, 3)


def test_ours_is_held_against_the_best_of_the_others_in_each_column() -> None:
    ours = Result(10, 0, 100, 10, 0, 20, 4, 300)
    slow, hungry = Result(10, 0, 50, 20, 0, 40, 8, 150), Result(10, 0, 200, 5, 0, 80, 2, 600)
    assert compare(ours, [slow, hungry]) == [0.5, 2, 0.5, 2, 2]


def test_statuses_are_counted() -> None:
    assert awkward.statuses([Answer(503, b"", 0, 1)] * 2 + [Answer(429, b"", 0, 1)]) == "429 x1, 503 x2"
    assert awkward.statuses([]) == "-"


def test_the_pictures_are_what_they_claim() -> None:
    assert image.decode(png(32)).colour.shape == (3, 32, 32)
    assert png(32) == png(32)
    assert png(32) != png(32, seed=1)
    with pytest.raises(ImageError):
        image.decode(corrupt())
    mixture = awkward.mixture()
    assert len(mixture) == 100
    assert sum(good for _, good in mixture) == 99


def test_pictures_of_several_sizes_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "set_threads", lambda threads: None)
    module = network.load("scratch", 1)
    pictures = [image.decode(png(side, seed)) for seed, side in enumerate((32, 64, 32, 64, 32))]
    together = network.denoise(module, pictures)
    for picture, cleaned in zip(pictures, together, strict=True):
        alone = network.denoise(module, [picture])[0]
        assert abs(alone.colour - cleaned.colour).max() < 1e-5


def test_a_server_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_spec", lambda name: None)
    assert servers.missing("n2n") is None
    assert "'.[bench]'" in (servers.missing("mosec") or "")


@pytest.mark.slow
def test_a_server_that_does_not_start_shows_its_log() -> None:
    with (
        pytest.raises(RuntimeError, match="unknown model 'no-such-model'"),
        servers.running("fastapi", "no-such-model", 1, png(32)),
    ):
        pass


@pytest.mark.slow
def test_all_of_it_runs_against_ours() -> None:
    command = [sys.executable, "-m", "benchmarks.serving", "--quick", "--servers", "n2n"]
    process = subprocess.run(
        command, cwd=servers.ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert process.returncode == 0, process.stderr
    rows = [line.split() for line in process.stdout.splitlines() if line.startswith("n2n ")]
    steady = [row for row in rows if row[1] in ("torch", "scratch")]
    assert len(steady) == 12
    assert all(row[-1] == "0" for row in steady)
    assert ["n2n", "statuses", "of", "12", "corrupt", "422", "x12"] in rows
    assert ["n2n", "good", "pictures", "that", "failed", "0"] in rows
