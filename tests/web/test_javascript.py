"""The page's logic without a browser: runs ``tests/web/js`` with Node's own test runner."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests" / "web" / "js").glob("*.test.js"))
NODE = shutil.which("node")
OLDEST = 20


def skip_reason() -> str:
    """Return why Node cannot run the tests; empty if it can."""
    if NODE is None:
        return "needs node, which is not installed"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = int(version.removeprefix("v").partition(".")[0])
    return "" if major >= OLDEST else f"needs node {OLDEST} or newer, this is {version}"


@pytest.mark.skipif(bool(reason := skip_reason()), reason=reason)
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.js"))
def test_the_page_without_a_browser(path: Path) -> None:
    assert NODE is not None
    command = [NODE, "--test", "--test-reporter=spec", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\S* ?pass [1-9]", done.stdout, re.MULTILINE), done.stdout


def test_there_are_tests_and_packages_come_from_npm() -> None:
    assert len(TESTS) > 10
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    places = {name: package.get("resolved", "") for name, package in packages.items()}
    assert [
        name
        for name, place in places.items()
        if place and not place.startswith("https://registry.npmjs.org/")
    ] == []
    assert all("integrity" in package for name, package in packages.items() if name)
