"""``n2n evaluate``: both PSNR means of models on a validation set."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from n2n_core import data, weights
from n2n_core.cli.command import Commands, add_command, add_engine, model_path
from n2n_core.inference import Denoiser
from n2n_core.metrics import Psnr, psnr, to_bytes


def add(commands: Commands) -> None:
    command = add_command(commands, "evaluate", evaluate, "measure models on pairs (noisy, clean)")
    command.add_argument("data", type=Path, help="a val_data.pkl")
    command.add_argument("--model", nargs="+", default=["scratch", "torch"], help="ids or .safetensors files")
    add_engine(command)
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--weights", type=Path, default=weights.SHIPPED, help="folder of models")


def evaluate(options: argparse.Namespace) -> None:
    """Print both PSNR means of the noisy input and of every model."""
    pairs = data.load_pairs(options.data)
    before = psnr(pairs.input, pairs.target)
    print(f"{len(pairs.input)} images, outputs rounded to 8 bits; PSNR in dB")
    print(f"{'':20}{'per image':>10}{'gain':>7}{'pooled':>10}{'gain':>7}")
    _print_row("noisy input", before, before)
    for model in options.model:
        denoiser = Denoiser.load(model_path(model, options.weights), options.device, options.engine)
        outputs = [to_bytes(denoiser(part.float() / 255)).cpu() for part in torch.split(pairs.input, 50)]
        _print_row(model, psnr(torch.cat(outputs), pairs.target), before)


def _print_row(name: str, value: Psnr, before: Psnr) -> None:
    gains = value.per_image - before.per_image, value.pooled - before.pooled
    print(f"{name:20}{value.per_image:10.2f}{gains[0]:+7.2f}{value.pooled:10.2f}{gains[1]:+7.2f}")
