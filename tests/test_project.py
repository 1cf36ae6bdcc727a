"""The files around the code agree with the code and with each other."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
import yaml

import n2n_client
import n2n_core
from n2n_client import KEY_VARIABLE
from n2n_core import cli
from n2n_core.cli.command import Parser
from n2n_core.models import architectures, weights
from n2n_core.training.config import TrainConfig
from service.app import create_app
from service.cli.jobs import URL_VARIABLE
from service.cli.main import COMMANDS
from service.settings.jobs import PREFIX
from service.settings.server import Settings

ROOT = Path(__file__).parent.parent
DOCS = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
FRAMEWORK = (ROOT / "docs" / "framework.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def commands() -> dict[str, Parser]:
    parser = cli.parser({**COMMANDS, **cli.core()})
    choices: dict[str, Parser] = parser._subparsers._group_actions[0].choices  # type: ignore
    return choices


def test_the_version_is_the_changelogs_newest() -> None:
    newest = re.search(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == n2n_core.__version__ == n2n_client.__version__


@pytest.mark.parametrize("name", commands())
def test_every_command_is_in_the_docs(name: str) -> None:
    assert f"n2n {name}" in DOCS


def test_every_command_of_the_docs_exists_with_its_options() -> None:
    known = commands()
    found = re.findall(r"^(?:    |`)n2n ([a-z]+)([^`\n]*)", DOCS, re.MULTILINE)
    assert {name for name, _ in found} <= set(known)
    for name, rest in found:
        options = re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)
        parser = known[name]
        if parser._subparsers:
            parser = parser._subparsers._group_actions[0].choices[rest.split()[0]]  # type: ignore[index]
        assert set(options) <= set(parser._option_string_actions), f"n2n {name}{rest}"
    assert len(found) > 5


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_docs(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in DOCS


def test_every_setting_of_the_docs_and_the_compose_file_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {URL_VARIABLE, KEY_VARIABLE}
    used = {name for service in COMPOSE["services"].values() for name in service["environment"]}
    assert set(re.findall(r"N2N_[A-Z_]+", DOCS)) | used <= known


def test_every_endpoint_and_model_is_in_the_docs(tmp_path: Path) -> None:
    paths = create_app(Settings(device="cpu", data=tmp_path / "data")).openapi()["paths"]
    assert not (tmp_path / "data").exists()  # the document needs no start
    assert len(paths) == 26
    for path, methods in paths.items():
        assert all(f"`{method.upper()} {path}`" in DOCS for method in methods)
    for name in weights.read_index():
        assert f"`{name}`" in DOCS


def test_every_trainable_model_is_shipped() -> None:
    assert set(weights.read_index()) == set(architectures.MODELS)


@pytest.mark.parametrize("name", sorted(weights.read_index()))
def test_the_weights_readme_states_the_figures_and_the_recipe(name: str) -> None:
    card = weights.read(weights.find(name).path)[1]
    text = (ROOT / "weights" / "README.md").read_text()
    for key in ("noisy_psnr", "noisy_psnr_pooled", "psnr", "psnr_pooled"):
        assert f"{card.metrics[key]:.2f}" in text
    assert f"--recipe recipes/{name}.toml\n" in text
    assert set(card.recipe) - {"steps", "seconds"} <= TrainConfig.model_fields.keys()


def test_the_readmes_python_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n)+", readme, re.MULTILINE)
    code = [dedent(block) for block in blocks if "import torch" in block]
    assert len(code) == 1
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(code[0], names)
    assert names["value"] < 0.05


def test_the_pages_python_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", FRAMEWORK, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for block in blocks:
            assert "assert" in block
            exec(block, names)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "n2n_core" / "scratch").glob("[a-z]*.py")), ids=lambda p: p.name
)
def test_the_page_names_every_file_of_the_framework(path: Path) -> None:
    assert f"`{path.name}`" in FRAMEWORK


def test_the_figures_are_those_that_the_code_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = runpy.run_path(str(ROOT / "docs" / "figures.py"))
    monkeypatch.setitem(figures["write"].__globals__, "FOLDER", tmp_path)
    for name in ("windows", "fused_upsampling"):  # the third figure takes a training run
        figures["write"](f"{name}.svg", 760, 330, figures[name]())
        assert (tmp_path / f"{name}.svg").read_text() == (ROOT / "docs" / f"{name}.svg").read_text()


def test_links_between_files_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("weights/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def schema_check(*arguments: object) -> int:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, check=False).returncode


def test_the_container_is_limited_and_each_package_has_one_source() -> None:
    for service in COMPOSE["services"].values():
        assert service["mem_limit"]
        assert service["pids_limit"]
    for path in (ROOT / "Dockerfile", ROOT / "Makefile", ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "extra-index-url" not in path.read_text(), path


def test_the_compose_file_fits_its_schema(tmp_path: Path) -> None:
    assert schema_check(ROOT / "docker-compose.yml") == 0
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(json.dumps({"services": {"n2n": {"image": "n2n", "prots": ["8000:8000"]}}}))
    assert schema_check(wrong) != 0


def test_the_containers_port_is_the_one_that_is_published_and_checked() -> None:
    port = re.search(r"--port\", \"(\d+)\"", DOCKERFILE)
    assert port
    assert f"EXPOSE {port[1]}" in DOCKERFILE
    assert f"127.0.0.1:{port[1]}/readyz" in DOCKERFILE
    for service in COMPOSE["services"].values():
        assert all(published.endswith(f":{port[1]}") for published in service["ports"])


def test_the_image_gets_all_that_it_copies() -> None:
    kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def pins() -> Iterator[str]:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.partition("==")[0].lower()


def test_every_direct_dependency_is_pinned() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [
        *project["dependencies"],
        *(n for extra in project["optional-dependencies"].values() for n in extra),
    ]
    names = {re.split(r"[>\[]", need)[0].lower() for need in needed} - {"n2n"}
    assert {name for name in names if not name.startswith("types-")} <= set(pins())


def test_ci_runs_the_tests_and_the_audit_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert re.findall(r"^ *(?:exec )?make (\S+)", script, re.MULTILINE) == ["test", "test", "audit"]
    started = re.findall(r"^ *(?:exec )?(\w+)", script, re.MULTILINE)
    assert set(started) <= {"set", "cd", "make", "for", "case", "if", "else", "echo", "fi", "done"}


def test_the_script_of_ci_tests_every_python_that_is_there(tmp_path: Path) -> None:
    """A stand-in for ``make`` notes how it is called; the versions' stand-ins say who they are."""
    folder = tmp_path / "repository"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    programs = {
        "bin/make": 'echo "$@" >> made',
        "bin/python3.11": '[ "$1" != --version ] || echo Python 3.11.2',
        "bin/python3.12": '[ "$1" != --version ] || echo Python 3.12.4',
        ".venv/bin/python": "echo Python 3.11.9",
    }
    for name, text in programs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([folder / ".ci" / "run"], env=os.environ | {"PATH": path}, check=True)
    expected = ["test", "test PYTHON=python3.12 VENV=.venv-3.12", "audit"]
    assert (folder / "made").read_text().splitlines() == expected


MAP = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where things are")[2].partition("\n## ")[0]


@pytest.mark.parametrize("top", ["n2n_core", "service"])
def test_the_map_of_the_sources_names_every_package(top: str) -> None:
    rows = [
        re.findall(r"`([\w/]+)/`", line.split("|")[1]) for line in MAP.splitlines() if line.startswith("| `")
    ]
    named = {
        name if name.startswith(row[0].split("/")[0]) else f"{row[0].split('/')[0]}/{name}"
        for row in rows
        for name in row
    }
    packages = {f"{top}/{path.parent.name}" for path in (ROOT / top).glob("*/__init__.py")}
    assert packages <= named
    assert all((ROOT / name).is_dir() for name in named)


def test_the_changelog_is_sorted_by_added_changed_and_fixed() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == n2n_core.__version__


@pytest.mark.parametrize("package", ["n2n_core", "n2n_client", "service"])
def test_packages_tell_type_checkers_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


def test_the_hooks_before_a_commit_run_what_make_test_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = {hook["entry"].split()[0].rpartition("/")[2] for hook in hooks}
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert set(re.findall(r"\$\(BIN\)/(\w+)", lint)) <= entries


FINE: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found on PyPI"}
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"], "description": "bad"}
VULNERABLE = {"name": "c", "version": "1", "vulns": [ADVISORY]}


@pytest.mark.parametrize(
    ("found", "code", "last"),
    [
        ([FINE, SKIPPED], 0, "1 packages audited, 0 advisories"),
        ([FINE, VULNERABLE], 1, "2 packages audited, 1 advisories"),
        ([SKIPPED], 0, "NOT AUDITED: no advisory database knows any of the 1 packages from here"),
    ],
)
def test_the_audit_fails_for_what_is_vulnerable_alone(
    found: list[dict[str, Any]], code: int, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = runpy.run_path(str(ROOT / ".ci" / "audit.py"))
    status, lines = audit["verdict"](found)
    assert (status, lines[-1]) == (code, last)
    assert any("c 1: PYSEC-1, fixed in 2" in line for line in lines) == (VULNERABLE in found)
    monkeypatch.setitem(audit["ACCEPTED"], "CVE-1", "we do not use that part")
    assert audit["verdict"](found)[0] == 0
