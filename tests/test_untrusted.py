"""The sources never execute what a user sends, and never request an address that a user sends."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for package in ("n2n_core", "n2n_client", "service") for path in (ROOT / package).rglob("*.py")
)

UNPICKLES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
}
OWN_PICKLES = {"service/processes/child.py", "service/processes/box.py"}
"""Between a process of ours and the one that it started, over a pipe or file that nobody else has."""

ASKS_OTHERS = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "telnetlib", "urllib3"}
ASKS_OTHERS_IN = {"urllib.request", "xmlrpc.client"}
THE_CLIENT = "n2n_client/"

RUNS = {"eval", "exec", "compile", "__import__"}
RUNS_IN = {("os", "system"), ("os", "popen"), ("importlib", "import_module"), ("torch.hub", "load")}


def faults(source: str, name: str = "service/x.py") -> list[str]:
    """What ``source`` does that it must not, as file ``name`` of the project."""
    return [fault for node in ast.walk(ast.parse(source)) for fault in (*_imports(node, name), *_calls(node))]


def _imports(node: ast.AST, name: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
    else:
        return
    for module in modules:
        first = module.partition(".")[0]
        if first in UNPICKLES and name not in OWN_PICKLES:
            yield f"imports {module}, which runs what it reads"
        asks = (first in ASKS_OTHERS and module != "http.HTTPStatus") or module in ASKS_OTHERS_IN
        if asks and module != "http" and not name.startswith(THE_CLIENT):
            yield f"imports {module}, which asks other hosts"


def _calls(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    module, _, function = called.rpartition(".")
    if called == "torch.load" and given.get("weights_only") != "True":
        yield f"{called} without weights_only=True"
    if function == "load" and module in ("np", "numpy") and given.get("allow_pickle") != "False":
        yield f"{called} without allow_pickle=False"
    if called in RUNS or (module, function) in RUNS_IN:
        yield f"{called} runs what it is given"
    if given.get("shell", "False") != "False":
        yield f"{called} with a shell"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_run_and_nobody_else_is_asked(path: Path) -> None:
    assert faults(path.read_text(), str(path.relative_to(ROOT))) == []


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "from pickle import Unpickler",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "np.load(path, mmap_mode='r')",
        "np.load(path, allow_pickle=True)",
        "def late():\n    import urllib.request",
        "from urllib import request",
        "import httpx",
        "from http.client import HTTPConnection",
        "eval(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "importlib.import_module(name)",
    ],
)
def test_the_search_finds_what_it_is_for(bad: str) -> None:
    assert faults(bad)


def test_what_is_allowed_is_allowed_there_alone() -> None:
    assert not faults("import pickle", "service/processes/child.py")
    assert faults("import pickle", "n2n_core/datasets/pairs.py")
    assert not faults("import httpx", "n2n_client/transport.py")
    assert not faults(
        "from http import HTTPStatus\nfrom urllib.parse import quote\ntorch.load(p, weights_only=True)"
    )
