"""``n2n jobs``: manage training jobs on a service."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from n2n_client import KEY_VARIABLE, URL, Client, ClientError, Dataset, Event, Job, Report
from n2n_core.cli.command import Commands, add_command, report_error
from n2n_core.cli.progress import show
from n2n_core.cli.recipe import add_recipe
from n2n_core.datasets.importing.naming import KINDS
from n2n_core.errors import ConfigError

URL_VARIABLE = "N2N_URL"

Subcommand = Callable[[Client, argparse.Namespace], int | None]


def add(commands: Commands) -> None:
    """Add the command and its subcommands."""
    help = "train models on a service: upload pictures; submit, list, watch and cancel jobs"
    command = commands.add_parser("jobs", help=help, description=help)
    subcommands = command.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    _submit(subcommands)
    listing = _add(subcommands, "list", list_jobs, "list the training jobs, newest first")
    listing.add_argument("--state", help="list only jobs in this state, such as running")
    for name, run, what in (
        ("show", show_job, "show state, metrics and outcome of a job"),
        ("watch", watch, "follow a job until it is done; Ctrl-C leaves it running"),
        ("cancel", cancel, "stop a job at its next checkpoint"),
        ("resume", resume, "continue a failed or cancelled job from its checkpoint"),
        ("delete", delete, "delete a job that has ended; its model is kept"),
    ):
        _add(subcommands, name, run, what).add_argument("job", metavar="JOB", help="id of the job")


def _add(commands: Commands, name: str, run: Subcommand, help: str) -> argparse.ArgumentParser:
    def connected(options: argparse.Namespace) -> int | None:
        try:
            with Client(options.url, key=options.key) as client:
                return run(client, options)
        except ClientError as error:
            return report_error(error)

    command = add_command(commands, name, connected, help)
    command.add_argument("--url", default=os.environ.get(URL_VARIABLE) or URL, help="URL of the service")
    # The variable is not the default value here, because --help would print it.
    command.add_argument(
        "--key",
        help=f"API key; {KEY_VARIABLE} is safer, as other users of this machine can see arguments",
    )
    return command


def _submit(commands: Commands) -> None:
    command = _add(commands, "submit", submit, "upload pictures, train a model on them, and watch the job")
    command.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="archives, .pkl or .npz files, folders or pictures to upload",
    )
    command.add_argument("--dataset", metavar="ID", help="train on this dataset, uploaded before")
    command.add_argument(
        "--validation-dataset",
        metavar="ID",
        help="validate on this dataset instead of a part of the training dataset",
    )
    command.add_argument("--kind", choices=KINDS, help="kind of the uploaded pictures; required with PATH")
    command.add_argument(
        "--rule", help="pattern that splits file names into scene and shot, such as {scene}_{shot}"
    )
    command.add_argument(
        "--pages", choices=("shots", "scenes"), help="whether the pages of a TIFF are shots or scenes"
    )
    command.add_argument(
        "--data-range", type=float, help="value of white, if not the maximum of the data type"
    )
    command.add_argument("--name", help="name of the model; the dataset's name if not given")
    command.add_argument("--base", metavar="MODEL", help="model to start from, such as name or name@2")
    command.add_argument("--force", action="store_true", help="train even if the checks warn")
    command.add_argument("--detach", action="store_true", help="print the job's id and exit")
    command.set_defaults(recipe=add_recipe(command))


def submit(client: Client, options: argparse.Namespace) -> int:
    """Upload the pictures, if any, submit a job, and watch it. Prints the job's id first."""
    if bool(options.paths) == bool(options.dataset):
        raise ConfigError("expected either PATHs to upload or --dataset, not both or neither")
    recipe = {name: getattr(options, name) for name in options.recipe if hasattr(options, name)}
    dataset = options.dataset
    if options.paths:
        dataset = _upload(client, options, recipe.pop("corruption", None)).id
    job = client.submit(
        dataset, validation_dataset=options.validation_dataset, name=options.name, base=options.base,
        force=options.force, **recipe,
    )  # fmt: skip
    print(job.id, flush=True)
    return 0 if options.detach else _follow(client, job.id)


def _upload(client: Client, options: argparse.Namespace, corruption: dict[str, object] | None) -> Dataset:
    """Upload the pictures, check the result, and return the dataset.

    ``corruption`` belongs to the dataset, not to the job: it is the noise for clean pictures.
    """
    if options.kind is None:
        raise ConfigError(f"--kind is not given, expected one of: {', '.join(KINDS)}")
    name = options.name or options.paths[0].resolve().name.partition(".")[0]
    dataset = client.upload_dataset(
        options.paths, options.kind, name, rule=options.rule, pages=options.pages,
        data_range=options.data_range, corruption=corruption,
    )  # fmt: skip
    _check(dataset, options.force)
    return dataset


def _check(dataset: Dataset, force: bool) -> None:
    """Print the results of the checks. Raises ``ConfigError`` if the service would not train on it."""
    report = dataset.report or Report("unchecked")
    verdict = report.verdict
    print(f"dataset {dataset.id}: {verdict}", file=sys.stderr)
    for check in report.checks:
        if check.verdict != "fine":
            print(f"{check.verdict}: {check.name}: {check.message}\n    {check.advice}", file=sys.stderr)
    if verdict == "refuse":
        raise ConfigError(f"dataset {dataset.id} cannot be trained on")
    if verdict == "warning" and not force:
        again = f"n2n jobs submit --dataset {dataset.id} --force"
        raise ConfigError(f"no job was submitted, because of the warnings; to train anyway: {again}")


def list_jobs(client: Client, options: argparse.Namespace) -> None:
    """Print one line for each job."""
    for job in client.jobs(options.state):
        print(f"{job.id}  {job.state:10}  {job.progress.fraction:4.0%}  {_psnr(job):>8}  {job.name}")


def show_job(client: Client, options: argparse.Namespace) -> None:
    """Print state, progress, metrics, recipe and outcome of one job."""
    job = client.job(options.job)
    print(f"{job.id}  {job.name}: {job.state}, attempt {job.attempt} of {job.max_attempts}")
    left = job.progress.eta_seconds
    of = "" if job.progress.total_steps is None else f" of {job.progress.total_steps}"
    print(f"step {job.progress.step}{of}" + ("" if left is None else f", about {left:.0f} s left"))
    for title, values in (("metrics", job.metrics), ("recipe", job.spec)):
        print(f"{title}: {', '.join(f'{name} {value}' for name, value in values.items())}")
    if job.error and job.error.log_tail:
        print(job.error.log_tail)
    if job.done:
        print(_outcome(job, client))


def watch(client: Client, options: argparse.Namespace) -> int:
    """Follow a job until it is done."""
    return _follow(client, options.job)


def cancel(client: Client, options: argparse.Namespace) -> None:
    """Cancel a job, and print its state."""
    _print_state(client.cancel(options.job))


def resume(client: Client, options: argparse.Namespace) -> None:
    """Resume a job, and print its state."""
    _print_state(client.resume(options.job))


def delete(client: Client, options: argparse.Namespace) -> None:
    """Delete a job."""
    client.delete(options.job)


def _print_state(job: Job) -> None:
    print(f"{job.id}: {job.state}")


def _follow(client: Client, id: str) -> int:
    """Show a job until it is done. Returns exit code 0 if it made a model, 1 if not, 130 after Ctrl-C."""
    job: Job | None = None
    try:
        with tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
            for news in client.watch(id):
                if isinstance(news, Event):
                    show({"event": news.name, **news.values}, bar)
                else:
                    _show_job(news, bar, job)
                    job = news
    except KeyboardInterrupt:
        hint = f"n2n jobs watch {id} shows it, n2n jobs cancel {id} stops it"
        print(f"job {id} is still running; {hint}", file=sys.stderr)
        return 130
    assert job is not None  # the last item is the job
    print(_outcome(job, client), file=sys.stdout if job.result else sys.stderr)
    return 0 if job.result else 1


def _show_job(job: Job, bar: tqdm[NoReturn], before: Job | None) -> None:
    bar.total = job.progress.total_steps or bar.total
    bar.set_description(job.state, refresh=False)
    bar.update(job.progress.step - bar.n)
    if bar.disable and (before is None or job.state != before.state):
        print(f"{job.id}: {job.state}", file=sys.stderr)


def _outcome(job: Job, client: Client) -> str:
    """Describe the result of a job that is done: its model and how to use it, or why there is none."""
    if job.result:
        where = f"'{client.url}/denoise?model={job.result.model}'"
        key = f' -H "Authorization: Bearer ${KEY_VARIABLE}"' if client.key else ""
        curl = f"curl --data-binary @noisy.png -H 'Content-Type: image/png'{key} {where} -o clean.png"
        return f"model {job.result.model}, version {job.result.version}\n    {curl}"
    reason = f" ({job.error.code}): {job.error.detail}" if job.error else ""
    return f"job {job.id} {job.state}{reason}"


def _psnr(job: Job) -> str:
    for name, about in (("psnr", ""), ("psnr_estimate", "~")):
        if (value := job.metrics.get(name)) is not None:
            return f"{about}{value:.2f} dB"
    return ""
