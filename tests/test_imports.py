"""Packages import only from lower layers, and only the edge of the service imports the web framework."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOORS = {
    "n2n_core": [
        {"errors"},
        {"files", "device", "scratch", "noise", "image"},
        {"metrics", "models"},
        {"datasets", "inference"},
        {"training", "evaluation"},
        {"course"},
        {"cli"},
    ],
    "service": [
        {"logs", "telemetry", "exceptions", "processes"},
        {"settings", "storage"},
        {"access", "inference", "jobs"},
        {"http"},
        {"api"},
        {"app"},
        {"server"},
        {"cli"},
    ],
}
"""The packages of each distribution, from the ground up. A package imports from the floors below its own."""

OUTSIDE = {
    "n2n_core": set[str](),
    "n2n_client": set[str](),
    "service": {"n2n_core", "n2n_client"},
}
"""What each distribution may import of the others. The service may also read ``n2n_core.__version__``."""

NARROW = {
    "n2n_core.scratch": {"n2n_core.errors"},
    "service.http.errors": {
        "n2n_core.errors",
        "service.exceptions",
        "service.http",
        "service.processes.child",
    },
    "service.http.middleware": {"service.http", "service.telemetry", "service.logs"},
}
"""Modules that may import less of ours than their floor allows."""

WEB = {"fastapi", "starlette", "uvicorn"}
KNOW_THE_WEB = {"http", "api", "app", "server"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(source: str) -> set[str]:
    """Full names: of modules, and of what is taken from them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def is_in(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def floor(top: str, package: str) -> int:
    return next(index for index, packages in enumerate(FLOORS[top]) if package in packages)


def faults(module: str, source: str) -> list[str]:
    """The imports of ``module`` that break a rule."""
    return [name for name in imported(source) if is_in(name, set(OUTSIDE)) and not _is_allowed(module, name)]


def _is_allowed(module: str, name: str) -> bool:
    top, _, inner = module.partition(".")
    other, _, rest = name.partition(".")
    narrow = next((allowed for own, allowed in NARROW.items() if is_in(module, {own})), None)
    if not rest or rest == "__version__":
        return other == top or (top, other) == ("service", "n2n_core")
    if narrow is not None:
        return is_in(name, narrow | {module.rpartition(".")[0] if module not in NARROW else module})
    if other != top:
        return is_in(name, OUTSIDE[top])
    if top not in FLOORS or not inner:
        return True
    package, own = rest.partition(".")[0], inner.partition(".")[0]
    return package == own or floor(top, package) < floor(top, own)


EVERY = [path for top in OUTSIDE for path in modules(top)]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    assert faults(dotted(path), path.read_text()) == []


@pytest.mark.parametrize("top", FLOORS)
def test_every_package_has_its_floor(top: str) -> None:
    found = {dotted(path).split(".")[1] for path in modules(top) if dotted(path) != top}
    assert found == set().union(*FLOORS[top])


@pytest.mark.parametrize("path", modules("service"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_services_edge_knows_the_web_framework(path: Path) -> None:
    uses = {name.partition(".")[0] for name in imported(path.read_text())} & WEB
    assert not uses or dotted(path).split(".")[1] in KNOW_THE_WEB


@pytest.mark.parametrize(
    ("module", "bad"),
    [
        ("n2n_core.errors", "from n2n_core import noise"),
        ("n2n_core.models.weights", "from n2n_core.training.loop import fit"),
        ("n2n_core.training.loop", "from n2n_core.evaluation import compare"),
        ("n2n_core.training.loop", "import service.app"),
        ("n2n_core.cli.train", "from n2n_client import Client"),
        ("n2n_core.scratch.conv", "from n2n_core.device import pick_device"),
        ("n2n_core.inference.tiling", "def late():\n    from n2n_core.training.loop import fit"),
        ("n2n_client.transport", "from n2n_core.errors import N2NError"),
        ("n2n_client.transport", "from n2n_core import __version__"),
        ("service.http.errors", "from service.inference.scheduler import Scheduler"),
        ("service.storage.database", "from service.jobs.store import JobStore"),
        ("service.jobs.store", "from service.inference.scheduler import Scheduler"),
    ],
)
def test_an_import_that_breaks_a_rule_is_found(module: str, bad: str) -> None:
    assert faults(module, bad)


FRONT = ["n2n_client", "service.app", "service.server", "service.cli.main", "service.cli.keys"]
FRONT += ["service.jobs.trainer"]
FOR_THE_FRONT = [
    "n2n_core.image",
    "n2n_core.inference.blend",
    "n2n_core.inference.enhance",
    "n2n_core.inference.model_choice",
    "n2n_core.inference.self_ensemble",
    "n2n_core.metrics.psnr",
    "n2n_core.metrics.quality",
    "n2n_core.metrics.ssim",
    "n2n_core.noise.estimation",
]


def test_the_services_own_process_does_without_torch() -> None:
    program = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    program += "    assert 'torch' not in sys.modules, name"
    command = [sys.executable, "-c", program, *FRONT, *FOR_THE_FRONT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
