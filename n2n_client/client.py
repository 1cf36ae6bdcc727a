"""The client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from n2n_client import watching
from n2n_client.answers import Dataset, Denoised, DenoiseReport, Event, Job, Json, Model
from n2n_client.multipart import contents
from n2n_client.transport import Transport
from n2n_client.uploads import parts
from n2n_core.errors import ServiceError

URL = "http://localhost:8000"
CHECKING_SECONDS = 3600.0
"""An upload is answered when it was unpacked and checked."""

T = TypeVar("T")


class Client:
    """A service that denoises pictures and trains models. Thread-safe; close it, or use it in ``with``.

        with Client() as n2n:
            dataset = n2n.upload_dataset(["shots.zip"], "pairs", "mine")
            job = n2n.submit(dataset.id, epochs=20)
            for news in n2n.watch(job.id):
                print(news)
            clean = n2n.denoise(Path("noisy.png"), n2n.job(job.id).result.model)

    Connections that break and answers of 503 are tried again, where a request may arrive twice:
    ``submit`` may, as its key makes it one job. Uploads and ``resume`` are tried again only if they
    cannot have arrived.

    Args:
        url: of the service.
        timeout: seconds that one attempt may wait for the network.
        retries: attempts after the first one.
        pause: seconds before the first retry; it doubles with each.
        key: API key, if the service asks for one; the variable ``N2N_API_KEY`` if None.

    Raises:
        ServiceError: from every method: the service refuses, or cannot be reached.
    """

    def __init__(
        self, url: str = URL, timeout: float = 60.0, *, retries: int = 6, pause: float = 0.5,
        key: str | None = None,
    ) -> None:  # fmt: skip
        self.url = url.rstrip("/")
        self._transport = Transport(self.url, timeout, retries, pause, key)
        self.key = self._transport.key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.http.close()

    def denoise(
        self, picture: bytes | Path, model: str | None = None, *, strength: float = 1.0,
        self_ensemble: bool = False,
    ) -> bytes:  # fmt: skip
        """The picture without noise, in the format that it came in.

        Args:
            picture: a PNG, JPEG, WebP, TIFF, ... file, or what is in it.
            model: ``name`` or ``name@version``; ``auto`` for one that suits the picture's noise; the
                service's default if None.
            strength: 0 gives the picture as it is, 1 the network's result.
            self_ensemble: the mean over eight flips and turns: better, and eight times as slow.
        """
        params = _wishes(model, strength, self_ensemble)
        headers = {"Content-Type": "application/octet-stream"}
        return self._transport.send(
            "POST", "/denoise", harmless=True, params=params, headers=headers, content=_content(picture)
        ).content

    def denoise_reported(
        self, picture: bytes | Path, model: str | None = None, *, strength: float = 1.0,
        self_ensemble: bool = False, uncertainty: bool = False, reference: bytes | Path | None = None,
    ) -> Denoised:  # fmt: skip
        """As ``denoise``, with the report of where the result comes from.

        Args:
            uncertainty: have a map of the self-ensemble's spread, too.
            reference: the clean picture, of the same size: PSNR and SSIM are in the report.
        """
        params = _wishes(model, strength, self_ensemble) | {"report": "multipart"}
        if uncertainty:
            params["uncertainty"] = "true"
        files = {"file": _content(picture)}
        if reference is not None:
            files["reference"] = _content(reference)
        how: Json = {"harmless": True, "params": params, "files": files}
        return self._understood(_denoised, self._transport.send("POST", "/denoise", **how))

    def models(self) -> list[Model]:
        """The models that are served."""
        return self._ask("GET", "/models", lambda answer: [Model.read(model) for model in answer["models"]])

    def upload_dataset(
        self, paths: Sequence[Path | str], kind: str, name: str, *, rule: str | None = None,
        pages: str | None = None, data_range: float | None = None, corruption: Json | None = None,
    ) -> Dataset:  # fmt: skip
        """Send pictures to train on; the answer has what the service's checks found.

        Args:
            paths: an archive, a ``.pkl``, an ``.npz``, pictures, or folders, which are sent as a TAR.
            kind: pairs, bursts, single or clean.
            name: of the dataset.
            rule: how names tell scene and shot, as ``{scene}_{shot}``.
            pages: what a TIFF's pages are: shots or scenes.
            data_range: the value of white, where it is not the type's.
            corruption: the noise for clean pictures, as ``{"name": "gaussian", "sigma": 0.1}``.

        Raises:
            ConfigError: a path does not exist, or two files have one name.
        """
        form = {
            "kind": kind, "name": name, "rule": rule, "pages": pages, "data_range": data_range,
            "corruption": json.dumps(corruption) if corruption else None,
        }  # fmt: skip
        data = {key: value for key, value in form.items() if value is not None}
        timeout = httpx.Timeout(self._transport.timeout, read=CHECKING_SECONDS)
        with parts([Path(path) for path in paths]) as files:
            return self._ask("POST", "/datasets", Dataset.read, data=data, files=files, timeout=timeout)

    def datasets(self) -> Iterator[Dataset]:
        """All datasets, fetched as they are asked for."""
        return self._pages("/datasets", "datasets", Dataset.read)

    def dataset(self, id: str) -> Dataset:
        """One dataset."""
        return self._ask("GET", f"/datasets/{_segment(id)}", Dataset.read)

    def delete_dataset(self, id: str) -> None:
        """Forget a dataset and its pictures."""
        self._transport.send("DELETE", f"/datasets/{_segment(id)}")

    def submit(
        self, dataset: str, *, validation_dataset: str | None = None, name: str | None = None,
        base: str | None = None, force: bool = False, key: str | None = None, **recipe: Any,
    ) -> Job:  # fmt: skip
        """Train a model; the answer is the job, queued.

        Args:
            dataset: its id.
            validation_dataset: another one's id; None holds out a share of the first.
            name: of the model; the dataset's if None.
            base: a model to start from, ``name`` or ``name@version``.
            force: train although the dataset's checks warn.
            key: two requests with the same key within a day make one job; a new one if None.
            recipe: fields of ``n2n_core.training.config.TrainConfig``; the service's own for those not given.
        """
        own = {"validation_dataset": validation_dataset, "name": name, "base": base, "force": force or None}
        body = {"dataset": dataset} | {k: v for k, v in own.items() if v is not None} | recipe
        headers = {"Idempotency-Key": key or uuid4().hex}
        return self._ask("POST", "/train-jobs", Job.read, harmless=True, json=body, headers=headers)

    def jobs(self, state: str | None = None) -> Iterator[Job]:
        """All jobs, or those in a state, the newest first, fetched as they are asked for."""
        return self._pages("/train-jobs", "jobs", Job.read, **({"state": state} if state else {}))

    def job(self, id: str, wait: float = 0) -> Job:
        """One job; if it is not done, after up to ``wait`` seconds."""
        wait = int(wait)
        timeout = httpx.Timeout(self._transport.timeout, read=self._transport.timeout + wait)
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        return self._ask("GET", _path(id), Job.read, headers=headers, timeout=timeout)

    def watch(self, id: str) -> Iterator[Job | Event]:
        """What happens to a job, as it happens: its log from the start, and itself at every change.

        The last that comes is the job, done.
        """
        return watching.watch(self._transport, _path(id), lambda wait: self.job(id, wait))

    def cancel(self, id: str) -> Job:
        """Stop a job at its next checkpoint."""
        return self._ask("POST", f"{_path(id)}/cancel", Job.read, harmless=True)

    def resume(self, id: str) -> Job:
        """Let a failed or cancelled job go on from its checkpoint."""
        return self._ask("POST", f"{_path(id)}/resume", Job.read)

    def delete(self, id: str) -> None:
        """Forget a job that has ended; its model stays."""
        self._transport.send("DELETE", _path(id))

    def _ask(self, method: str, path: str, read: Callable[[Json], T], **how: Any) -> T:
        response = self._transport.send(method, path, **how)
        return self._understood(lambda response: read(response.json()), response)

    def _understood(self, read: Callable[[httpx.Response], T], response: httpx.Response) -> T:
        try:
            return read(response)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            asked = f"{response.request.method} {response.url}"
            detail = f"{asked}: not understood: {response.text[:100]!r}"
            raise ServiceError(detail, "bad_answer", response.status_code) from error

    def _pages(self, path: str, key: str, read: Callable[[Json], T], **params: str) -> Iterator[T]:
        token: str | None = None
        while True:
            asked = params | ({"page_token": token} if token else {})
            items, token = self._ask(
                "GET", path,
                lambda page: ([read(item) for item in page[key]], page.get("next_page_token")),
                params=asked,
            )  # fmt: skip
            yield from items
            if not token:
                return


def _content(picture: bytes | Path) -> bytes:
    return picture if isinstance(picture, bytes) else picture.read_bytes()


def _wishes(model: str | None, strength: float, self_ensemble: bool) -> dict[str, str]:
    """The parameters, where they are not the service's own."""
    wishes = {"model": model, "strength": None if strength == 1 else str(strength)}
    if self_ensemble:
        wishes["self_ensemble"] = "true"
    return {name: value for name, value in wishes.items() if value}


def _denoised(response: httpx.Response) -> Denoised:
    parts = contents(response)
    report = DenoiseReport.read(json.loads(parts["report"]))
    return Denoised(parts["image"], report, parts.get("uncertainty"))


def _path(job: str) -> str:
    return f"/train-jobs/{_segment(job)}"


def _segment(id: str) -> str:
    return quote(id, safe="")
