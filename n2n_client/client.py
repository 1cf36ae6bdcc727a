"""The client: one method for each thing that the service can do."""

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
from n2n_client.errors import ServiceError
from n2n_client.multipart import contents
from n2n_client.transport import Transport
from n2n_client.uploads import parts

URL = "http://localhost:8000"
CHECKING_SECONDS = 3600.0
"""Read timeout of an upload. The service answers when it has unpacked and checked the pictures."""

T = TypeVar("T")


class Client:
    """A connection to a service that denoises pictures and trains models.

    Thread-safe. Close it, or use it in a ``with`` statement::

        with Client() as n2n:
            dataset = n2n.upload_dataset(["shots.zip"], "pairs", "mine")
            job = n2n.submit(dataset.id, epochs=20)
            for news in n2n.watch(job.id):
                print(news)
            clean = n2n.denoise(Path("noisy.png"), n2n.job(job.id).result.model)

    Requests that the service turns away for now (429, 503) are sent again. After a broken connection a
    request is sent again if sending it twice is safe. ``submit`` is safe, because its idempotency key
    makes it one job. Uploads and ``resume`` are sent again only if they cannot have arrived.

    Args:
        url: base URL of the service.
        timeout: seconds that one attempt may wait for the network.
        retries: attempts after the first one.
        pause: seconds before the first retry, doubled after each.
        key: API key, if the service requires one. None takes the environment variable ``N2N_API_KEY``.

    Raises:
        ArgumentError: ``url`` or ``key`` is malformed.
        ServiceError: raised by every method if the service refuses a request or cannot be reached.
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
        """Denoise a picture, and return the result in the same file format.

        Args:
            picture: path of a PNG, JPEG, WebP, TIFF, ... file, or the bytes of one.
            model: ``name`` or ``name@version``, ``auto`` to choose by the picture's noise, or None for
                the service's default.
            strength: blend between the input (0) and the network's result (1).
            self_ensemble: average the results of eight flips and rotations: better, eight times slower.
        """
        params = _denoise_params(model, strength, self_ensemble)
        headers = {"Content-Type": "application/octet-stream"}
        return self._transport.send(
            "POST", "/denoise", idempotent=True, params=params, headers=headers, content=_bytes(picture)
        ).content

    def denoise_reported(
        self, picture: bytes | Path, model: str | None = None, *, strength: float = 1.0,
        self_ensemble: bool = False, uncertainty: bool = False, reference: bytes | Path | None = None,
    ) -> Denoised:  # fmt: skip
        """Denoise a picture as ``denoise`` does, and return the result with a report.

        Args:
            uncertainty: also return a map of the spread over the self-ensemble.
            reference: the clean picture, of the same size; the report then has PSNR and SSIM.
        """
        params = _denoise_params(model, strength, self_ensemble) | {"report": "multipart"}
        if uncertainty:
            params["uncertainty"] = "true"
        files = {"file": _bytes(picture)}
        if reference is not None:
            files["reference"] = _bytes(reference)
        request: Json = {"idempotent": True, "params": params, "files": files}
        return _parse(_denoised, self._transport.send("POST", "/denoise", **request))

    def models(self) -> list[Model]:
        """List the models that the service can denoise with."""
        return self._request(
            "GET", "/models", lambda answer: [Model.read(model) for model in answer["models"]]
        )

    def upload_dataset(
        self, paths: Sequence[Path | str], kind: str, name: str, *, rule: str | None = None,
        pages: str | None = None, data_range: float | None = None, corruption: Json | None = None,
    ) -> Dataset:  # fmt: skip
        """Upload pictures to train on, and return the dataset with the results of the service's checks.

        Args:
            paths: an archive, a ``.pkl``, an ``.npz``, pictures, or folders (sent as one TAR).
            kind: ``pairs``, ``bursts``, ``single`` or ``clean``.
            name: name of the dataset.
            rule: pattern that splits file names into scene and shot, such as ``{scene}_{shot}``.
            pages: what the pages of a TIFF are, ``shots`` or ``scenes``.
            data_range: value of white, if it is not the maximum of the data type.
            corruption: noise to add to clean pictures, such as ``{"name": "gaussian", "sigma": 0.1}``.

        Raises:
            ArgumentError: a path does not exist, or two files have the same name.
        """
        form = {
            "kind": kind, "name": name, "rule": rule, "pages": pages, "data_range": data_range,
            "corruption": json.dumps(corruption) if corruption else None,
        }  # fmt: skip
        data = {key: value for key, value in form.items() if value is not None}
        timeout = httpx.Timeout(self._transport.timeout, read=CHECKING_SECONDS)
        with parts([Path(path) for path in paths]) as files:
            return self._request("POST", "/datasets", Dataset.read, data=data, files=files, timeout=timeout)

    def datasets(self) -> Iterator[Dataset]:
        """Iterate over all datasets. Fetches pages as they are needed."""
        return self._pages("/datasets", "datasets", Dataset.read)

    def dataset(self, id: str) -> Dataset:
        """Return the dataset with this id."""
        return self._request("GET", f"/datasets/{_segment(id)}", Dataset.read)

    def delete_dataset(self, id: str) -> None:
        """Delete a dataset and its pictures."""
        self._transport.send("DELETE", f"/datasets/{_segment(id)}")

    def submit(
        self, dataset: str, *, validation_dataset: str | None = None, name: str | None = None,
        base: str | None = None, force: bool = False, key: str | None = None, **recipe: Any,
    ) -> Job:  # fmt: skip
        """Queue a training job, and return it.

        Args:
            dataset: id of the dataset to train on.
            validation_dataset: id of a dataset to validate on. None holds out part of ``dataset``.
            name: name of the new model. None takes the dataset's name.
            base: model to start from, ``name`` or ``name@version``.
            force: train even if the dataset's checks warn.
            key: idempotency key: requests with the same key within a day make one job. None makes a new key.
            recipe: options of the training, such as ``model="unet"``, ``epochs=20`` or ``lr=1e-3``: the
                fields of ``POST /train-jobs``. The service has defaults for those not given.
        """
        own = {"validation_dataset": validation_dataset, "name": name, "base": base, "force": force or None}
        body = {"dataset": dataset} | {k: v for k, v in own.items() if v is not None} | recipe
        headers = {"Idempotency-Key": key or uuid4().hex}
        return self._request("POST", "/train-jobs", Job.read, idempotent=True, json=body, headers=headers)

    def jobs(self, state: str | None = None) -> Iterator[Job]:
        """Iterate over all jobs, or those in one state, newest first. Fetches pages as they are needed."""
        return self._pages("/train-jobs", "jobs", Job.read, **({"state": state} if state else {}))

    def job(self, id: str, wait: float = 0) -> Job:
        """Return the job with this id, after waiting up to ``wait`` seconds for it to be done."""
        wait = int(wait)
        timeout = httpx.Timeout(self._transport.timeout, read=self._transport.timeout + wait)
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        return self._request("GET", _path(id), Job.read, headers=headers, timeout=timeout)

    def watch(self, id: str) -> Iterator[Job | Event]:
        """Follow a job until it is done.

        Yields an ``Event`` for each line of the job's log, from its start, and the ``Job`` each time that
        its state changes. The last item is the job with ``done`` set.
        """
        return watching.watch(self._transport, _path(id), lambda wait: self.job(id, wait))

    def cancel(self, id: str) -> Job:
        """Cancel a job: it stops at its next checkpoint."""
        return self._request("POST", f"{_path(id)}/cancel", Job.read, idempotent=True)

    def resume(self, id: str) -> Job:
        """Resume a failed or cancelled job from its checkpoint."""
        return self._request("POST", f"{_path(id)}/resume", Job.read)

    def delete(self, id: str) -> None:
        """Delete a job that has ended. Its model is kept."""
        self._transport.send("DELETE", _path(id))

    def _request(self, method: str, path: str, read: Callable[[Json], T], **content: Any) -> T:
        response = self._transport.send(method, path, **content)
        return _parse(lambda response: read(response.json()), response)

    def _pages(self, path: str, key: str, read: Callable[[Json], T], **params: str) -> Iterator[T]:
        token: str | None = None
        while True:
            query = params | ({"page_token": token} if token else {})
            items, token = self._request(
                "GET", path,
                lambda page: ([read(item) for item in page[key]], page.get("next_page_token")),
                params=query,
            )  # fmt: skip
            yield from items
            if not token:
                return


def _parse(read: Callable[[httpx.Response], T], response: httpx.Response) -> T:
    """Return ``read(response)``, with a ``ServiceError`` for an answer that has another form."""
    try:
        return read(response)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        request = f"{response.request.method} {response.url}"
        detail = f"{request}: cannot read the answer {response.text[:100]!r}"
        raise ServiceError(detail, "bad_answer", response.status_code) from error


def _bytes(picture: bytes | Path) -> bytes:
    return picture if isinstance(picture, bytes) else picture.read_bytes()


def _denoise_params(model: str | None, strength: float, self_ensemble: bool) -> dict[str, str]:
    """The query parameters of ``POST /denoise`` that differ from the service's defaults."""
    params = {"model": model, "strength": None if strength == 1 else str(strength)}
    if self_ensemble:
        params["self_ensemble"] = "true"
    return {name: value for name, value in params.items() if value}


def _denoised(response: httpx.Response) -> Denoised:
    parts = contents(response)
    report = DenoiseReport.read(json.loads(parts["report"]))
    return Denoised(parts["image"], report, parts.get("uncertainty"))


def _path(job: str) -> str:
    return f"/train-jobs/{_segment(job)}"


def _segment(id: str) -> str:
    return quote(id, safe="")
