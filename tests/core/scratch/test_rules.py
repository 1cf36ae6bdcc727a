"""The framework keeps its rules: what it imports, what it uses of torch, and no autograd."""

import ast
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from n2n_core import scratch
from tests.core.scratch.compare import normal

SOURCES = sorted(Path(scratch.__path__[0]).glob("*.py"))
OURS = ("n2n_core.errors", "n2n_core.scratch")
FUNCTIONS = {"torch": {"empty", "cat", "arange"}, "torch.nn.functional": {"fold", "unfold"}}
TYPES = {"Tensor", "Generator", "Size", "dtype", "device", "float32", "float64"}
ALLOWED = {"torch": FUNCTIONS["torch"] | TYPES, "torch.nn.functional": FUNCTIONS["torch.nn.functional"]}
AUTOGRAD = {"requires_grad", "requires_grad_", "grad", "grad_fn", "autograd", "retain_grad", "numpy"}


def breaches(source: str) -> list[str]:
    """What ``source`` does against the rules."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if not may_import(name)]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{name.name}" for name in node.names if not may_take(node, name.name)]
        elif isinstance(node, ast.Attribute):
            base = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in AUTOGRAD or (base == "torch" and node.attr not in ALLOWED["torch"]):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Name) and node.id in {"__import__", "eval", "exec"}:
            found.append(node.id)
    return found


def may_import(name: ast.alias) -> bool:
    return (name.name == "torch" and name.asname is None) or is_standard(name.name)


def may_take(node: ast.ImportFrom, name: str) -> bool:
    module = node.module or ""
    if node.level or module == "importlib":
        return False
    is_ours = module in OURS or module.startswith("n2n_core.scratch.")
    return is_ours or name in ALLOWED.get(module, set()) or is_standard(module)


def is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names - {"importlib"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_framework_keeps_its_rules(path: Path) -> None:
    assert breaches(path.read_text()) == []


def test_all_of_the_framework_is_read() -> None:
    modules = {
        "module",
        "activation",
        "loss",
        "windows",
        "conv",
        "fused_upsampling",
        "upsampling",
        "sequential",
        "optim",
        "network",
    }
    assert modules <= {path.stem for path in SOURCES}


@pytest.mark.parametrize(
    "bad",
    [
        "import numpy as np",
        "import torch as t",
        "import torch.nn",
        "import torch, numpy",
        "import importlib",
        "from importlib import import_module",
        "from torch import nn",
        "from torch import autograd",
        "from torch import zeros",
        "from torch import *",
        "from torch.nn import functional",
        "from torch.nn.functional import conv2d",
        "from torch.nn.functional import fold, pad",
        "from torch.autograd import grad",
        "from n2n_core import networks",
        "from n2n_core.noise.corruptions import noise",
        "from n2n_core.scratches import layer",
        "from . import conv",
        "x = torch.zeros(3)",
        "x = torch.nn.functional.fold",
        "def f():\n    with torch.no_grad():\n        pass",
        "x.requires_grad_()",
        "y = x.grad",
        "x.requires_grad = True",
        "y = x.numpy()",
        "__import__('torch.nn')",
    ],
)
def test_the_rules_can_be_broken(bad: str) -> None:
    assert breaches(f"import math\n{bad}\n")


@pytest.mark.parametrize(
    "good",
    [
        "import math",
        "from collections.abc import Iterator",
        "import torch\nfrom torch import Generator, Tensor\nx = torch.cat([torch.empty(1), torch.arange(2)])",
        "from torch.nn.functional import fold, unfold",
        "from n2n_core.errors import ShapeError\nfrom n2n_core.scratch.conv import Conv2d",
        "def f(grad):\n    return self.conv.backward(grad), self.weight_grad",
    ],
)
def test_what_the_rules_allow_passes(good: str) -> None:
    assert breaches(good) == []


def test_every_public_name_exists() -> None:
    assert all(hasattr(scratch, name) for name in scratch.__all__)
    assert len(set(scratch.__all__)) == len(scratch.__all__)


def test_every_layer_loss_and_optimiser_is_exported() -> None:
    kinds = (scratch.Module, scratch.Optimizer)
    own = {
        name for name, value in vars(scratch).items() if isinstance(value, type) and issubclass(value, kinds)
    }
    assert own == set(scratch.__all__) - {"Parameter", "strided_autoencoder"}


def test_training_calls_nothing_of_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("autograd was called")

    for owner, name in [(Tensor, "backward"), (torch.autograd, "backward"), (torch.autograd, "grad")]:
        monkeypatch.setattr(owner, name, forbidden)
    network, loss = scratch.strided_autoencoder(hidden=4), scratch.MSE()
    images = normal(2, 3, 8, 8, dtype=torch.float32)
    loss(network(images), images)
    network.backward(loss.backward())
    scratch.SGD(network.param(), lr=0.1).step()
    with pytest.raises(AssertionError, match="autograd was called"):
        Tensor([1.0]).backward()  # type: ignore[no-untyped-call]
