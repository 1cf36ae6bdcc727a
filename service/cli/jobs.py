"""``n2n jobs``: trainings that a service does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from n2n_client import KEY_VARIABLE, URL, Client, Dataset, Event, Job, Report
from n2n_core.cli.command import Commands, add_command
from n2n_core.cli.progress import show
from n2n_core.cli.recipe import add_recipe
from n2n_core.datasets.importing.naming import KINDS
from n2n_core.errors import ConfigError

URL_VARIABLE = "N2N_URL"

Run = Callable[[Client, argparse.Namespace], int | None]


def add(commands: Commands) -> None:
    """The command with its subcommands."""
    help = "send pictures to a service that trains on them; list, watch, cancel its trainings"
    command = commands.add_parser("jobs", help=help, description=help)
    subcommands = command.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    _submit(subcommands)
    listing = _add(subcommands, "list", list_jobs, "list the trainings, the newest first")
    listing.add_argument("--state", help="only those in this state, as running")
    for name, run, what in (
        ("show", show_job, "one training: state, figures, and why it failed"),
        ("watch", watch, "follow a training to its end; Ctrl-C leaves it running"),
        ("cancel", cancel, "stop a training at its next checkpoint"),
        ("resume", resume, "let one go on that failed or was cancelled"),
        ("delete", delete, "forget one that has ended; its model stays"),
    ):
        _add(subcommands, name, run, what).add_argument("job", metavar="JOB", help="its id")


def _add(commands: Commands, name: str, run: Run, help: str) -> argparse.ArgumentParser:
    def connected(options: argparse.Namespace) -> int | None:
        with Client(options.url, key=options.key) as client:
            return run(client, options)

    command = add_command(commands, name, connected, help)
    command.add_argument("--url", default=os.environ.get(URL_VARIABLE) or URL, help="of the service")
    # Without the variable as its default, which --help would tell.
    command.add_argument("--key", help=f"API key; better in {KEY_VARIABLE}, as others see arguments")
    return command


def _submit(commands: Commands) -> None:
    command = _add(commands, "submit", submit, "upload pictures, train a model on them, and watch")
    command.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="archive, .pkl, .npz, folder or pictures to upload",
    )
    command.add_argument("--dataset", metavar="ID", help="train on one that was uploaded before")
    command.add_argument("--validation-dataset", metavar="ID", help="validate on this one, not on a share")
    command.add_argument("--kind", choices=KINDS, help="what is uploaded; needed for it")
    command.add_argument("--rule", help="how names tell scene and shot, as {scene}_{shot}")
    command.add_argument("--pages", choices=("shots", "scenes"), help="what a TIFF's pages are")
    command.add_argument("--data-range", type=float, help="the value of white, where it is not the type's")
    command.add_argument("--name", help="of the model; after the dataset if not given")
    command.add_argument("--base", metavar="MODEL", help="model to start from, as name or name@2")
    command.add_argument("--force", action="store_true", help="train although the checks warn")
    command.add_argument("--detach", action="store_true", help="print the job's id, do not watch")
    command.set_defaults(recipe=add_recipe(command))


def submit(client: Client, options: argparse.Namespace) -> int:
    """Upload what there is to upload, and train on it; the job's id is the first line of the output."""
    if bool(options.paths) == bool(options.dataset):
        raise ConfigError("expected either PATHs to upload, or --dataset")
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
    """The dataset; ``corruption`` is its own, as it is what clean pictures need."""
    if options.kind is None:
        raise ConfigError(f"--kind is not given, expected one of: {', '.join(KINDS)}")
    name = options.name or options.paths[0].resolve().name.partition(".")[0]
    dataset = client.upload_dataset(
        options.paths, options.kind, name, rule=options.rule, pages=options.pages,
        data_range=options.data_range, corruption=corruption,
    )  # fmt: skip
    _judge(dataset, options.force)
    return dataset


def _judge(dataset: Dataset, force: bool) -> None:
    """Tell what the checks found, and go on only if it does not keep the service from training."""
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
        raise ConfigError(f"nothing is trained yet; in spite of the warnings: {again}")


def list_jobs(client: Client, options: argparse.Namespace) -> None:
    """A line a job."""
    for job in client.jobs(options.state):
        print(f"{job.id}  {job.state:10}  {job.progress.fraction:4.0%}  {_psnr(job):>8}  {job.name}")


def show_job(client: Client, options: argparse.Namespace) -> None:
    """Everything of one job that a person wants to know."""
    job = client.job(options.job)
    print(f"{job.id}  {job.name}: {job.state}, attempt {job.attempt} of {job.max_attempts}")
    left = job.progress.eta_seconds
    of = "" if job.progress.total_steps is None else f" of {job.progress.total_steps}"
    print(f"step {job.progress.step}{of}" + ("" if left is None else f", about {left:.0f} s left"))
    for title, values in (("figures", job.metrics), ("recipe", job.spec)):
        print(f"{title}: {', '.join(f'{name} {value}' for name, value in values.items())}")
    if job.error and job.error.log_tail:
        print(job.error.log_tail)
    if job.done:
        print(_outcome(job, client))


def watch(client: Client, options: argparse.Namespace) -> int:
    """Follow a job."""
    return _follow(client, options.job)


def cancel(client: Client, options: argparse.Namespace) -> None:
    """Stop a job."""
    _state(client.cancel(options.job))


def resume(client: Client, options: argparse.Namespace) -> None:
    """Let a job go on."""
    _state(client.resume(options.job))


def delete(client: Client, options: argparse.Namespace) -> None:
    """Forget a job."""
    client.delete(options.job)


def _state(job: Job) -> None:
    print(f"{job.id}: {job.state}")


def _follow(client: Client, id: str) -> int:
    """Show a job until it is done; 1 if no model came of it."""
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
        print(
            f"job {id} goes on; n2n jobs watch {id} shows it, n2n jobs cancel {id} stops it", file=sys.stderr
        )
        return 130
    assert job is not None  # the last news is the job, done
    print(_outcome(job, client), file=sys.stdout if job.result else sys.stderr)
    return 0 if job.result else 1


def _show_job(job: Job, bar: tqdm[NoReturn], before: Job | None) -> None:
    bar.total = job.progress.total_steps or bar.total
    bar.set_description(job.state, refresh=False)
    bar.update(job.progress.step - bar.n)
    if bar.disable and (before is None or job.state != before.state):
        print(f"{job.id}: {job.state}", file=sys.stderr)


def _outcome(job: Job, client: Client) -> str:
    """What came of a job that is done."""
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
