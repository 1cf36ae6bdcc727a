"""Hostile image files of every format, over HTTP and on the command line: too large or damaged."""

from itertools import chain
from pathlib import Path

import httpx
import pytest

from n2n_core import cli
from tests.hostile.bombs import BAD, FINE, TOO_LARGE, flipped, truncated, with_pages
from tests.hostile.conftest import Server

ALL = {**TOO_LARGE, **BAD, **FINE}


def post(client: httpx.Client, content: bytes) -> httpx.Response:
    return client.post("/denoise", content=content, headers={"content-type": "image/png"})


@pytest.mark.parametrize("name", ALL)
def test_a_hostile_file_is_refused_by_its_header(server: Server, name: str) -> None:
    content = ALL[name]
    assert len(content) < 1_100_000
    with httpx.Client(base_url=server.url, timeout=100) as client:
        answer = post(client, content)
    if name in TOO_LARGE:
        assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large"), answer.text
    elif name in BAD or answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_image"), answer.text
    assert server.peak() < 400 * 2**20


def test_a_stack_of_too_many_pages_is_refused(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=100) as client:
        assert post(client, with_pages(20)).status_code == 200
        answer = post(client, with_pages(21))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_frames"), answer.text
    assert "more than 20 pages, expected at most that many (N2N_MAX_FRAMES)" in answer.json()["detail"]


def test_truncated_and_bit_flipped_files_are_refused_or_denoised(server: Server) -> None:
    statuses = []
    with httpx.Client(base_url=server.url, timeout=100) as client:
        for content in chain(truncated(), flipped(60)):
            answer = post(client, content)
            statuses.append(answer.status_code)
            assert answer.status_code in (200, 413, 422), answer.text
            if answer.status_code != 200:
                assert answer.json()["code"] in ("bad_image", "image_too_large")
    assert statuses.count(422) > 100


@pytest.mark.parametrize("name", [*TOO_LARGE, *BAD])
@pytest.mark.parametrize("command", ["denoise", "dataset import"])
def test_the_command_line_has_one_line_for_it(
    command: str, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "a.png", tmp_path / "made"
    source.write_bytes(ALL[name])
    if command == "denoise":
        arguments = ["denoise", source, "-o", target / "a.png", "--model", "scratch"]
    else:
        arguments = ["dataset", "import", source, "-o", target, "--kind", "single"]
    assert cli.main([str(word) for word in " ".join(map(str, arguments)).split()]) == 2
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1, told
    assert told[0].startswith("n2n: ")
    assert not list(target.glob("*"))
    assert [path.name for path in tmp_path.iterdir() if path != target] == ["a.png"]
