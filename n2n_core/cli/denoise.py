"""``n2n denoise``: image files and folders, without a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from n2n_core import image
from n2n_core.cli.command import Commands, add_command, add_engine, add_weights, model_path
from n2n_core.errors import ConfigError, ImageError
from n2n_core.files import atomic_path
from n2n_core.inference import Denoiser


def add(commands: Commands) -> None:
    command = add_command(commands, "denoise", denoise, "denoise image files, or all images of folders")
    command.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="image file or folder")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT",
        help="for one input file a file, if it has an image suffix; else a folder",
    )  # fmt: skip
    command.add_argument("--model", default="torch", help="model id, or a .safetensors file")
    command.add_argument(
        "--format", choices=image.MEDIA_TYPES, help="format of the output; the input's if not given"
    )
    command.add_argument(
        "--compression", choices=image.COMPRESSIONS, default="fast", help="of PNG files; fast if not given"
    )
    add_engine(command)
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add_weights(command)


def denoise(options: argparse.Namespace) -> int:
    """Denoise every input; go on past those that cannot be read, and say so at the end."""
    jobs = plan_outputs(options.inputs, options.output, options.format)
    denoiser = Denoiser.load(model_path(options.model, options.weights), options.device, options.engine)
    failed = 0
    for source, target in tqdm(jobs, unit="image", disable=len(jobs) < 2 or not sys.stderr.isatty()):
        try:
            picture = image.decode(source.read_bytes())
            output = denoiser(torch.from_numpy(picture.colour[None]))[0]
            cleaned = picture.with_colour(output.cpu().numpy())
            format = image.SUFFIXES[target.suffix.lower()]
            encoded = image.encode(cleaned, format, options.compression)
            with atomic_path(target) as temporary:
                temporary.write_bytes(encoded)
        except (ImageError, OSError) as error:
            failed += 1
            print(f"n2n: {source}: {error}", file=sys.stderr)
    return 2 if failed else 0


def plan_outputs(inputs: Sequence[Path], output: Path, format: str | None) -> list[tuple[Path, Path]]:
    """Which file each input becomes; folders keep their inner structure.

    Raises:
        ConfigError: an input is missing, OUT has an unknown suffix, two inputs share an output, or
            an output is one of the inputs.
    """
    jobs = _plan(inputs, output, format)
    sources = {source.resolve() for source, _ in jobs}
    taken: dict[Path, Path] = {}
    for source, target in jobs:
        if target in taken:
            raise ConfigError(f"{taken[target]} and {source} would both become {target}")
        if target.resolve() in sources:
            raise ConfigError(f"{target} is an input, expected another OUT: originals are not overwritten")
        taken[target] = source
    return jobs


def _plan(inputs: Sequence[Path], output: Path, format: str | None) -> list[tuple[Path, Path]]:
    if len(inputs) == 1 and inputs[0].is_file() and not output.is_dir() and output.suffix:
        if output.suffix.lower() not in image.SUFFIXES:
            raise ConfigError(
                f"{output}: suffix is {output.suffix!r}, expected one of: {', '.join(image.SUFFIXES)}"
            )
        if format and image.SUFFIXES[output.suffix.lower()] != format:
            raise ConfigError(f"{output}: suffix is {output.suffix!r}, expected one for --format {format}")
        return [(inputs[0], output)]
    jobs = []
    for source, name in _sources(inputs, output):
        suffix = f".{format}" if format else name.suffix
        if suffix.lower() not in image.SUFFIXES:
            raise ConfigError(f"{source}: suffix is {suffix!r}, expected one of: {', '.join(image.SUFFIXES)}")
        jobs.append((source, output / name.with_suffix(suffix)))
    return jobs


def _sources(inputs: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Every input image with its name below OUT; results of an earlier run are no inputs."""
    found = []
    results = output.resolve()
    for path in inputs:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.suffix.lower() in image.SUFFIXES)
            own = path.resolve() != results  # else every image is below OUT
            images = sorted(
                file
                for file in inside
                if file.is_file() and not (own and file.resolve().is_relative_to(results))
            )
            if not images:
                raise ConfigError(f"{path}: holds no image, expected one of: {', '.join(image.SUFFIXES)}")
            found += [(file, file.relative_to(path)) for file in images]
        elif path.is_file():
            found.append((path, Path(path.name)))
        else:
            raise ConfigError(f"{path}: no such file or folder")
    return found
