"""``n2n evaluate``: both PSNR means of models on a validation set."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from n2n_core import data
from n2n_core.cli.command import Commands, add_command, add_engine, add_weights, model_path
from n2n_core.inference import Denoiser
from n2n_core.metrics import Psnr, psnr, to_bytes


def add(commands: Commands) -> None:
    command = add_command(commands, "evaluate", evaluate, "measure models on pairs (noisy, clean)")
    command.add_argument("data", type=Path, help="a val_data.pkl")
    command.add_argument("--model", nargs="+", default=["scratch", "torch"], help="ids or .safetensors files")
    add_engine(command)
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add_weights(command)


def evaluate(options: argparse.Namespace) -> None:
    """Print both PSNR means of the noisy input and of every model."""
    paths = {model: model_path(model, options.weights) for model in options.model}
    denoisers = {model: Denoiser.load(path, options.device, options.engine) for model, path in paths.items()}
    pairs = data.load_pairs(options.data)
    before = psnr(pairs.input, pairs.target)
    print(f"{len(pairs.input)} images, outputs rounded to 8 bits; PSNR in dB")
    width = max(map(len, ["noisy input", *denoisers])) + 1
    print(f"{'':{width}}{'per image':>10}{'gain':>7}{'pooled':>10}{'gain':>7}")
    _print_row("noisy input".ljust(width), before, before)
    for model, denoiser in denoisers.items():
        outputs = [to_bytes(denoiser(part.float() / 255)).cpu() for part in torch.split(pairs.input, 50)]
        _print_row(model.ljust(width), psnr(torch.cat(outputs), pairs.target), before)


def _print_row(name: str, value: Psnr, before: Psnr) -> None:
    gains = value.per_image - before.per_image, value.pooled - before.pooled
    print(f"{name}{value.per_image:10.2f}{gains[0]:+7.2f}{value.pooled:10.2f}{gains[1]:+7.2f}")
