"""Names from clients wherever they could reach a path or a header, and forms of many parts."""

import json
import zipfile
from io import BytesIO
from urllib.parse import quote

import httpx
import pytest

from tests.hostile.bombs import GOOD
from tests.hostile.conftest import LIMITS, Server
from tests.hostile.wire import exchange, request

PNG = GOOD["png"]
NAMES = {
    "parent": b"../../x.png",
    "parents, backwards": b"..\\\\..\\\\x.png",
    "only dots": b"..",
    "a dot": b".",
    "nothing": b"",
    "absolute": b"/etc/passwd",
    "a drive": b"C:\\\\x.png",
    "a share": b"\\\\\\\\host\\\\share\\\\x.png",
    "a null byte": b"a\0b.png",
    "a line feed": b"a\nb.png",
    "a line": b"a\r\nX-Name: b.png",
    "a quote": b'a\\".png',
    "written from right to left": "\u202egnp.exe".encode(),
    "of no width": "a\u200b.png".encode(),
    "a wide slash": "..\uff0f..\uff0fx.png".encode(),
    "not Unicode": b"\xff\xfe.png",
    "an escape": b"%2e%2e%2fx.png",
    "a shell's": b"$(id);`id`|id.png",
    "a tag": b"<script>alert(1)</script>.png",
    "that of the results": b"results.json",
    "as long as may be": b"a" * 96 + b".png",
}
TOO_LONG = b"a" * (int(LIMITS["N2N_MAX_NAME_LENGTH"]) + 1)


def form(target: str, *parts: tuple[bytes, bytes | None, bytes], accept: str = "*/*") -> bytes:
    """A form's request; each part has a name, a file's name, and content."""
    body = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="' + name + b'"'
        + (b"" if file is None else b'; filename="' + file + b'"') + b"\r\n\r\n" + content + b"\r\n"
        for name, file, content in parts
    ) + b"--B--\r\n"  # fmt: skip
    fields = (
        "Content-Type: multipart/form-data; boundary=B",
        f"Content-Length: {len(body)}",
        f"Accept: {accept}",
    )
    return request(*fields, "Connection: close", target=f"POST {target}", body=body)


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_leads_nowhere_in_the_answer(server: Server, name: str) -> None:
    answers = exchange(server.port, form("/denoise/batch", (b"file", NAMES[name], PNG)), patience=5)
    if answers.statuses == [400]:
        assert answers.problem["code"] == "bad_request"
        return
    assert answers.statuses == [200]
    with zipfile.ZipFile(BytesIO(answers.content.partition(b"\r\n\r\n")[2])) as archive:
        results, found = archive.namelist()
        told = json.loads(archive.read(results))
    assert results == "results.json"
    assert told[0]["name"] == found
    assert found.isprintable()
    assert found not in ("", ".", "..", "results.json")
    assert not set("/\\\0") & set(found)

    parts = exchange(
        server.port, form("/denoise/batch", (b"file", NAMES[name], PNG), accept="multipart/mixed"), patience=5
    )
    head = parts.content.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[0]
    assert len(head.split(b"\r\n")) == 6  # no line more than ours
    assert head.count(b'"') == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_leads_nowhere_on_the_disk(server: Server, name: str) -> None:
    before = sorted(server.folder.rglob("*"))
    parts = (b"kind", None, b"single"), (b"name", None, b""), (b"file", NAMES[name], PNG)
    answers = exchange(
        server.port, form("/datasets", *parts), patience=20
    )  # refused for its own name at last
    assert answers.statuses in ([400], [422])
    assert sorted(server.folder.rglob("*")) == before


@pytest.mark.parametrize("target", ["/denoise/batch", "/datasets"])
def test_a_name_of_more_characters_is_refused(server: Server, target: str) -> None:
    answers = exchange(server.port, form(target, (b"file", TOO_LONG, PNG)), patience=5)
    assert answers.problem["code"] == "name_too_long"


@pytest.mark.parametrize("target", ["/denoise", "/denoise/batch", "/datasets"])
@pytest.mark.parametrize("place", ["file", "field", "file's field"])
def test_a_name_of_100_kilobytes_is_no_form(server: Server, target: str, place: str) -> None:
    huge = b"a" * 100_000
    part = {"file": (b"file", huge, PNG), "field": (huge, None, b""), "file's field": (huge, b"a.png", PNG)}[
        place
    ]
    answers = exchange(server.port, form(target, part), patience=5)
    assert answers.statuses == [400]
    assert answers.problem["code"] == "bad_request"


@pytest.mark.parametrize("target", ["/denoise", "/denoise/batch", "/datasets"])
@pytest.mark.parametrize("file", [None, b"a.png"])
def test_tens_of_thousands_of_parts_are_refused_at_the_first_too_many(
    server: Server, target: str, file: bytes | None
) -> None:
    parts = [(b"f%d" % n if file is None else b"file", file and b"%d" % n + file, b"") for n in range(20_000)]
    answers = exchange(server.port, form(target, *parts), patience=5)
    few = target == "/datasets" and file is None  # it knows no more than 20 fields
    assert answers.statuses == [422 if few else 413]
    assert answers.problem["code"] == ("bad_request" if few else "too_many_parts")


PATHS = [
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "a\nb",
    "C:\\x",
    "\u202ea",
    "x" * 5000,
    "*",
    "'; drop table models",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_name_in_a_path_or_a_query_is_refused(server: Server, path: str) -> None:
    name = quote(path, safe="")
    like = {"content-type": "image/png"}
    with httpx.Client(base_url=server.url, timeout=100) as client:
        answers = [
            client.post(f"/models/{name}/versions", content=b"x"),
            client.get(f"/models/{name}"),
            client.get(f"/models/{name}/download"),
            client.delete(f"/models/{name}"),
            client.get(f"/datasets/{name}"),
            client.get(f"/datasets/{name}/report.png"),
            client.get(f"/datasets/{name}/thumbnails/0.png"),
            client.delete(f"/datasets/{name}"),
            client.get(f"/train-jobs/{name}"),
            client.get(f"/train-jobs/{name}/log"),
            client.post("/denoise", params={"model": path}, content=PNG, headers=like),
            client.post("/train-jobs", json={"dataset": path, "name": path}),
            client.post("/datasets", json={"kind": "single", "name": "x", "path": path}),
            client.get("/datasets", params={"page_token": path}),
            client.get("/healthz/" + name),
        ]  # fmt: skip
    for answer in answers:
        assert answer.status_code in (400, 403, 404, 405, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 10_000
    for target in ("/models", "/datasets", "/train-jobs"):
        for raw in (f"{target}/../{path}", f"{target}/..%2f..%2fetc%2fpasswd", f"{target}//etc/passwd"):
            if raw.isascii() and raw.isprintable() and " " not in raw:
                found = exchange(server.port, request("Connection: close", target=f"GET {raw}"))
                assert found.statuses == [404]


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "x" * 201, "", " ", "\u202e"])
def test_a_datasets_name_is_a_plain_line(server: Server, name: str) -> None:
    answer = httpx.post(
        f"{server.url}/datasets",
        data={"kind": "single", "name": name},
        files={"file": ("a.png", PNG)},
        timeout=300,
    )
    assert answer.status_code == 422
    assert answer.json()["code"] in ("bad_dataset", "bad_request")
