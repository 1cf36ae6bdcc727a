"""Imports point downward only, and only the service's edge knows the web framework."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEVELS = [
    {"errors", "sensor"},
    {"noise", "metrics", "files", "device", "schedule", "scratch", "image", "neighbours", "pace", "client"}
    | {"libtiff", "jpeg_loss"},
    {"modules", "report", "noise_level", "auto_model", "similarity", "baselines", "album", "step_graph"},
    {"networks", "samples", "events", "checkpoints", "fast_training", "cost"},
    {"data", "tiling", "averaging", "weights", "learners", "fast_path", "plots"},
    {"recipe", "datasets", "onnx_file", "precision", "cuda_graphs", "ensemble", "blend", "quality", "scenes"}
    | {"faint"},
    {"noisy_copies", "course_scenes", "cuda_path", "recipe_file"},
    {"sampling"},
    {"validation"},
    {"inference", "train"},
    {"course", "studies", "evaluation"},
    {"cli"},
]
WEB = {"fastapi", "starlette", "uvicorn"}
KNOW_THE_WEB = {
    "app",
    "body_limit",
    "browser",
    "connection",
    "errors",
    "fast_route",
    "form",
    "gate",
    "main",
} | {
    "middleware",
    "routes",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def part(path: Path, package: str) -> str:
    """``conv.py`` in ``n2n_core/scratch`` is of the part ``scratch``."""
    return path.relative_to(ROOT / package).parts[0].removesuffix(".py")


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


def level(name: str) -> int:
    return next(index for index, names in enumerate(LEVELS) if name in names)


def climbs(own: str, source: str) -> list[str]:
    """The imports of part ``own`` of the core that do not point downward."""
    names = {name for name in imported(source) if name.startswith(("n2n_core.", "service"))}
    parts = {name: name.split(".")[1] for name in names if not name.startswith("service")}
    wrong = [name for name in names if name.startswith("service")]
    return wrong + [
        name for name, other in parts.items()
        if other != own and other != "__version__" and level(other) >= level(own)
    ]  # fmt: skip


@pytest.mark.parametrize("path", modules("n2n_core"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_downward(path: Path) -> None:
    own = part(path, "n2n_core")
    if own != "__init__":
        assert climbs(own, path.read_text()) == []


def test_every_part_of_the_core_has_its_level() -> None:
    found = {part(path, "n2n_core") for path in modules("n2n_core")} - {"__init__"}
    assert found == set().union(*LEVELS)


@pytest.mark.parametrize("path", modules("service"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_services_edge_knows_the_web_framework(path: Path) -> None:
    uses = {name.partition(".")[0] for name in imported(path.read_text())} & WEB
    assert not uses or part(path, "service") in KNOW_THE_WEB


@pytest.mark.parametrize(
    ("own", "bad"),
    [
        ("errors", "from n2n_core import noise"),
        ("weights", "from n2n_core.train import fit"),
        ("train", "import service.app"),
        ("scratch", "from n2n_core.networks import MODELS"),
        ("tiling", "def late():\n    from n2n_core.weights import load"),
    ],
)
def test_an_import_that_climbs_is_found(own: str, bad: str) -> None:
    assert climbs(own, bad)


FRONT = ["service.main", "service.cli", "service.keys_command", "service.app", "service.jobs.trainer"]
FOR_THE_FRONT = [
    f"n2n_core.{name}" for name in ("auto_model", "blend", "ensemble", "image", "noise_level", "similarity")
]


@pytest.mark.parametrize("module", FRONT + FOR_THE_FRONT)
def test_the_services_own_process_does_without_torch(module: str) -> None:
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
