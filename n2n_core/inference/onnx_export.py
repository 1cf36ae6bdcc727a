"""Export a model as ONNX, for other runtimes. Needs the extra ``onnx``."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from n2n_core.errors import WeightsError
from n2n_core.inference import tiling
from n2n_core.models import weights

if TYPE_CHECKING:
    from torch import nn

INPUT, OUTPUT = "noisy", "denoised"
TOLERANCE = 1e-4
"""Largest difference from torch's results in [0, 1]: a fortieth of a grey level."""

_EXPORTING = Lock()
"""The exporter and Python's warning filters are global to the process."""


def can_export() -> bool:
    """Return whether the packages that exporting needs are installed."""
    return all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def to_onnx(path: Path, expected: str | None = None) -> bytes:
    """Export a weights file as ONNX, and check the result against torch.

    The model maps ``(N, 3, H, W)`` floats in [0, 1] to the same; H and W must be multiples of ``period``. The
    metadata holds ``period`` and the card of the weights file.

    Args:
        expected: the SHA-256 that the file must have, if that is known.

    Raises:
        WeightsError: the file is not a model, not the expected one, or ONNX Runtime's results differ from
            torch's.
    """
    import torch

    network, _, card = weights.load(path, "torch", expected)
    assert isinstance(network, torch.nn.Module)
    geometry = tiling.geometry(network)
    free = {0: "n", 2: "height", 3: "width"}
    file = BytesIO()
    with _EXPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but it needs no further packages
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 64, 64),),
            file,  # type: ignore[arg-type]  # this exporter accepts files, too
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
        )
    content = _described(file.getvalue(), {**asdict(card), "period": geometry.period})
    _check(path, content, network, geometry.period)
    return content


def _described(content: bytes, metadata: dict[str, object]) -> bytes:
    import onnx

    model = onnx.load_model_from_string(content)
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    described: bytes = model.SerializeToString()
    return described


def _check(path: Path, content: bytes, network: nn.Module, period: int) -> None:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    sides = [-(-side // period) * period for side in (40, 56)]
    pictures = torch.rand(2, 3, *sides, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(pictures)
    (found,) = session.run([OUTPUT], {INPUT: pictures.numpy()})
    error = float((torch.from_numpy(found) - expected).abs().max())
    if not error <= TOLERANCE:
        raise WeightsError(
            f"{path}: the output of the ONNX model differs by {error}, expected at most {TOLERANCE}"
        )
