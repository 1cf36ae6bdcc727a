"""Plots of a training run, drawn from its events."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from n2n_core.errors import ConfigError
from n2n_core.files import atomic_path, storing
from n2n_core.training.run_folder import event_log
from n2n_core.training.run_folder.event_log import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
FOLDER = "plots"

AT_THE_FLOOR = (
    "The targets are noisy pictures. Their noise cannot be predicted, so even for a perfect model\n"
    "the loss is the variance of their noise. The PSNR tells how good the model is."
)
TOWARDS_CLEAN = (
    "The PSNR tells how good the model is. If the targets are noisy, the loss cannot fall below\n"
    "the variance of their noise, which is not known here."
)

PSNRS = {
    "psnr": ("denoised", "C0-"),
    "psnr_estimate": ("denoised, estimated from two noisy shots", "C0-"),
    "noisy_psnr": ("noisy", "C3--"),
    "noisy_psnr_estimate": ("noisy, estimated from two noisy shots", "C3--"),
}
"""Metrics of an epoch, with their labels and line styles."""


def loss_curve(history: Sequence[Event]) -> Figure:
    """Plot the training loss over the steps, the validation loss and the noise floor if known."""
    figure, axes = paper("step", "loss")
    steps = _by_step(history, "step")
    axes.plot(list(steps), [event["loss"] for event in steps.values()], "C0-", label="training")
    epochs = {
        step: e["validation_loss"] for step, e in _by_step(history, "epoch").items() if "validation_loss" in e
    }
    if epochs:
        axes.plot(list(epochs), list(epochs.values()), "C1o-", markersize=3, label="validation (mse)")
    floor = next((e.get("noise_floor") for e in history if e["event"] == "start"), None)
    if floor is not None and _loss(history) == "mse":
        axes.axhline(floor, color="C3", linestyle="--", label="noise floor: variance of the noise")
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    figure.supxlabel(AT_THE_FLOOR if floor is not None else TOWARDS_CLEAN, fontsize=8, color="0.3")
    return figure


def psnr_curve(history: Sequence[Event]) -> Figure:
    """Plot the validation PSNR or its estimate over the epochs, and that of the noisy pictures."""
    figure, axes = paper("epoch", "PSNR (dB)")
    epochs = {event["epoch"]: event for event in history if event["event"] == "epoch"}
    for key, (label, style) in PSNRS.items():
        values = {epoch: event[key] for epoch, event in epochs.items() if event.get(key) is not None}
        if values:
            marker = "o" if style.endswith("C0-") else ""
            axes.plot(list(values), list(values.values()), style, marker=marker, markersize=3, label=label)
    if axes.lines:
        axes.legend(fontsize=8)
    else:
        axes.text(0.5, 0.5, "no PSNR is known", ha="center", va="center", transform=axes.transAxes)
    return figure


CURVES = {"loss": loss_curve, "psnr": psnr_curve}
"""All plots by file name."""


def encode(figure: Figure, format: str) -> bytes:
    """Return the figure as a file in one of ``FORMATS``. The bytes are reproducible."""
    import matplotlib

    if format not in FORMATS:
        raise ConfigError(f"format is {format!r}, expected one of: {', '.join(FORMATS)}")
    buffer = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "n2n"}):
        figure.savefig(buffer, format=format, metadata={"Date": None} if format == "svg" else {})
    return buffer.getvalue()


def write(folder: Path) -> None:
    """Write all plots of the run in ``folder`` to its subfolder ``plots``."""
    history = event_log.read(folder)
    for name, curve in CURVES.items():
        figure = curve(history)
        for format in FORMATS:
            path = folder / FOLDER / f"{name}.{format}"
            with storing(path), atomic_path(path) as temporary:
                temporary.write_bytes(encode(figure, format))


def paper(x: str, y: str) -> tuple[Figure, Axes]:
    """Return a figure with one plot, whose axes have the labels ``x`` and ``y``."""
    from matplotlib.figure import Figure  # here: it is slow to import

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _by_step(history: Sequence[Event], kind: str) -> dict[int, Event]:
    """Return the last event of each step: a run that was killed and resumed has some twice."""
    found = {event["step"]: event for event in history if event["event"] == kind}
    return dict(sorted(found.items()))


def _loss(history: Sequence[Event]) -> str:
    return next((str(event.get("loss", "mse")) for event in history if event["event"] == "start"), "mse")
