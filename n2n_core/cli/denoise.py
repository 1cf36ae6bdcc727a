"""``n2n denoise``: denoise image files and folders, without a server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from n2n_core import image
from n2n_core.cli.command import Commands, add_command, add_engine, add_weights
from n2n_core.cli.picture_denoiser import PictureDenoiser
from n2n_core.errors import ConfigError, ImageError
from n2n_core.files import atomic_path, storing
from n2n_core.inference.blend import check_strength
from n2n_core.inference.self_ensemble import spread_picture


def add(commands: Commands) -> None:
    command = add_command(commands, "denoise", denoise, "denoise image files, or all images of folders")
    command.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="image file or folder")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT",
        help="output file, if there is one input file and OUT has an image suffix; otherwise a folder",
    )  # fmt: skip
    command.add_argument(
        "--model",
        default="torch",
        help="model id, a .safetensors file, or auto for the best shipped model",
    )
    command.add_argument(
        "--strength", type=float, default=1.0, help="0 gives the noisy picture, 1 the model's result"
    )
    command.add_argument(
        "--self-ensemble",
        action="store_true",
        help="average over eight flips and rotations: better, but 8 times slower",
    )
    command.add_argument(
        "--uncertainty", type=Path, metavar="FILE",
        help="write a grey PNG that shows how far the self-ensemble's results differ; for one input",
    )  # fmt: skip
    command.add_argument(
        "--report",
        metavar="FILE",
        help="write a line of JSON for each picture: model, options, noise levels; - prints it",
    )
    command.add_argument(
        "--reference", type=Path, metavar="FILE",
        help="the clean picture: adds PSNR and SSIM to the report; for one input",
    )  # fmt: skip
    command.add_argument(
        "--format", choices=image.MEDIA_TYPES, help="format of the output; the input's if not given"
    )
    command.add_argument(
        "--compression", choices=image.COMPRESSIONS, default="fast", help="compression of PNG files"
    )
    add_engine(command)
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add_weights(command)


def denoise(options: argparse.Namespace) -> int:
    """Denoise every input. Inputs that cannot be read are reported and skipped; the exit code is then 2."""
    check_strength(options.strength)
    jobs = plan_outputs(options.inputs, options.output, options.format)
    _check_extras(options, jobs)
    reference = image.decode(options.reference.read_bytes()).colour if options.reference else None
    denoise_picture = PictureDenoiser(options, reference)
    failed = 0
    with _reporting(options.report) as report:
        for source, target in tqdm(jobs, unit="image", disable=len(jobs) < 2 or not sys.stderr.isatty()):
            try:
                pages = image.decode_pages(source.read_bytes())
                _check_pages(options, len(pages))
                results = [denoise_picture(page) for page in pages]
                _write(target, [enhanced.picture for enhanced, _ in results], options.compression)
                spread = results[0][0].spread
                if options.uncertainty and spread is not None:
                    _write(options.uncertainty, [spread_picture(spread)])
            except (ImageError, OSError) as error:
                failed += 1
                print(f"n2n: {source}: {error}", file=sys.stderr)
            else:
                for page, (_, record) in enumerate(results):
                    which = {"page": page} if len(results) > 1 else {}
                    report({"input": str(source), "output": str(target), **which, **record})
    return 2 if failed else 0


def _check_extras(options: argparse.Namespace, jobs: Sequence[tuple[Path, Path]]) -> None:
    """Reject options that need others, and output files that would overwrite a picture."""
    for name in ("uncertainty", "reference"):
        if getattr(options, name) and len(jobs) > 1:
            raise ConfigError(f"--{name} is for one picture, expected one input, not {len(jobs)}")
    if options.uncertainty and not options.self_ensemble:
        raise ConfigError("--uncertainty is given alone, expected --self-ensemble with it")
    if options.uncertainty and options.uncertainty.suffix.lower() != ".png":
        raise ConfigError(f"{options.uncertainty}: suffix is {options.uncertainty.suffix!r}, expected '.png'")
    if options.reference and not options.report:
        raise ConfigError("--reference is given alone, expected --report with it")
    pictures = {path.resolve() for job in jobs for path in job} | {
        options.reference and options.reference.resolve()
    }
    for path in (options.uncertainty, options.report and Path(options.report)):
        if path and path.resolve() in pictures:
            raise ConfigError(f"{path}: is one of the pictures, expected another file")


def _check_pages(options: argparse.Namespace, pages: int) -> None:
    """Reject files of several pages where an option is for a single picture."""
    for name in ("uncertainty", "reference"):
        if getattr(options, name) and pages > 1:
            raise ImageError(f"--{name} is for one picture, expected a single page, not {pages}")


@contextmanager
def _reporting(target: str | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that writes a record of the report: to a file, to standard output, or nowhere."""
    if target is None:
        yield lambda record: None
    elif target == "-":
        yield lambda record: print(json.dumps(record), flush=True)
    else:
        with storing(Path(target)), Path(target).open("w", encoding="utf-8", buffering=1) as file:
            yield lambda record: print(json.dumps(record), file=file)


def _write(target: Path, pages: Sequence[image.Picture], compression: image.Compression = "fast") -> None:
    encoded = image.encode_pages(pages, image.SUFFIXES[target.suffix.lower()], compression)
    with atomic_path(target) as temporary:
        temporary.write_bytes(encoded)


def plan_outputs(inputs: Sequence[Path], output: Path, format: str | None) -> list[tuple[Path, Path]]:
    """Return the output file of each input; folders keep their inner structure.

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
    """Return every input image with its path below OUT. Results of an earlier run are not inputs."""
    found = []
    results = output.resolve()
    for path in inputs:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.suffix.lower() in image.SUFFIXES)
            own = path.resolve() != results  # otherwise every image would count as a result
            images = sorted(
                file
                for file in inside
                if file.is_file() and not (own and file.resolve().is_relative_to(results))
            )
            if not images:
                raise ConfigError(f"{path}: contains no image, expected one of: {', '.join(image.SUFFIXES)}")
            found += [(file, file.relative_to(path)) for file in images]
        elif path.is_file():
            found.append((path, Path(path.name)))
        else:
            raise ConfigError(f"{path}: no such file or folder")
    return found
