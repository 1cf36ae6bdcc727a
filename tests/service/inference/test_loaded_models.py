"""Published models are served: from the catalogue and the weights folder, by name and by version."""

import asyncio
import shutil
import threading
from pathlib import Path

import httpx
import pytest

from n2n_core.errors import ConfigError
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import UNet
from n2n_core.models.weights import Card
from service.api.dependencies import State
from service.app import create_app
from service.inference import device_process, loaded_models
from service.inference.device_process import RemoteDenoiser
from service.processes.child import ChildDiedError
from service.settings.server import Settings
from service.storage.database import Database
from service.storage.model_catalogue import ModelCatalogue, Version
from tests.pictures import drawn, file
from tests.service import problems
from tests.service.serving import serving
from tests.service.small import saved

pytestmark = pytest.mark.anyio
PNG = file(drawn("RGB", 40, 28))


async def denoise(client: httpx.AsyncClient, model: str | None = None) -> httpx.Response:
    params = {"model": model} if model else {}
    return await client.post("/denoise", content=PNG, params=params, headers={"content-type": "image/png"})


def used(response: httpx.Response) -> tuple[str, str]:
    assert response.status_code == 200, response.text
    return response.headers["n2n-model"], response.headers["n2n-weights-sha256"]


def elsewhere(state: State) -> ModelCatalogue:
    """The catalogue as another process, a trainer, has it."""
    return ModelCatalogue(Database(state.settings.database_url), state.folder)


async def test_a_new_model_is_served_at_its_first_request_whenever_the_last_look_was(tmp_path: Path) -> None:
    async with serving() as (client, state):
        problems.check(await denoise(client, "mine"), 404, "unknown_model", "'mine'", "scratch, torch")
        version = elsewhere(state).upload(saved(tmp_path, 1), "mine")
        assert used(await denoise(client, "mine")) == ("mine", version.sha256)


async def test_versions_are_served_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    async with serving() as (client, state):
        catalogue = elsewhere(state)
        first, second = [catalogue.upload(saved(tmp_path, seed), "mine") for seed in (1, 2)]
        assert used(await denoise(client, "mine")) == ("mine", second.sha256)
        assert used(await denoise(client, "mine@1")) == ("mine@1", first.sha256)
        assert used(await denoise(client, "mine@2")) == ("mine", second.sha256)
        catalogue.promote("mine@1")
        assert used(await denoise(client, "mine")) == ("mine", first.sha256)
        assert used(await denoise(client, "mine@2")) == ("mine@2", second.sha256)
        catalogue.delete("mine@2")
        problems.check(await denoise(client, "mine@2"), 404, "unknown_model", "'mine@2'")
        catalogue.delete("mine")
        for name in ("mine", "mine@1", "torch@x", "torch@", "@1"):
            problems.check(await denoise(client, name), 404, "unknown_model")
        assert used(await denoise(client, "default")) == used(await denoise(client))


async def test_a_change_is_followed_within_the_time_of_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 3600.0)
    async with serving() as (client, state):
        catalogue = elsewhere(state)
        first, second = [catalogue.upload(saved(tmp_path, seed), "mine", promote=False) for seed in (1, 2)]
        assert used(await denoise(client, "mine"))[1] == first.sha256
        catalogue.promote("mine@2")
        assert used(await denoise(client, "mine"))[1] == first.sha256  # the last look is good still
        monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
        assert used(await denoise(client, "mine"))[1] == second.sha256


async def test_weights_are_loaded_once_whatever_they_are_called(tmp_path: Path) -> None:
    path = saved(tmp_path, 1)
    async with serving() as (client, state):
        for name in ("one", "two"):
            elsewhere(state).upload(path, name)
            await denoise(client, name)
        one, two = (state.loaded_models.models[name] for name in ("one", "two"))
        assert one.denoisers == two.denoisers
        elsewhere(state).upload(saved(tmp_path, 2), "one")
        assert (await state.loaded_models.find("one@1")).denoisers == two.denoisers


async def test_memory_keeps_the_versions_used_last(tmp_path: Path) -> None:
    async with serving() as (_, state):
        for seed in range(loaded_models.PINNED + 3):
            state.catalogue.upload(saved(tmp_path, seed), "mine")
        for number in range(1, loaded_models.PINNED + 3):
            await state.loaded_models.find(f"mine@{number}")
        held = [model.entry.id for model in state.loaded_models._pinned.values()]
        assert held == [f"mine@{number}" for number in range(3, loaded_models.PINNED + 3)]


async def test_promoting_amid_requests_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    async with serving() as (client, state):
        catalogue = elsewhere(state)
        versions = [catalogue.upload(saved(tmp_path, seed), "mine") for seed in (1, 2)]
        answers: list[asyncio.Task[httpx.Response]] = []
        for round in range(6):
            answers += [asyncio.ensure_future(denoise(client, "mine")) for _ in range(5)]
            await asyncio.to_thread(catalogue.promote, f"mine@{round % 2 + 1}")
        found = {used(await answer)[1] for answer in answers}
        assert found <= {version.sha256 for version in versions}


async def test_one_that_cannot_be_loaded_spoils_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (client, state):
        version = state.catalogue.upload(saved(tmp_path, 1), "mine")
        state.catalogue.path(version).write_bytes(b"damaged")
        response = await denoise(client, "mine")
        problems.check(response, 503, "unavailable", "'mine'", f"{version.sha256}.safetensors: sha256 is")
        assert int(response.headers["retry-after"]) > 1
        assert str(tmp_path) not in response.text
        assert used(await denoise(client, "torch"))[0] == "torch"
        assert "mine@1 is not served" in caplog.text


def forbid(monkeypatch: pytest.MonkeyPatch, sha256: str, error: Exception, method: str = "calibrate") -> None:
    """Let a model fail on its device, as for lack of memory."""
    original = getattr(RemoteDenoiser, method)

    def fail(denoiser: RemoteDenoiser) -> None:
        if denoiser.sha256 == sha256:
            raise error
        original(denoiser)

    monkeypatch.setattr(RemoteDenoiser, method, fail)


@pytest.mark.parametrize("name", ["scratch", "torch"])
@pytest.mark.parametrize("error", [MemoryError("15 GiB"), RuntimeError("shape"), ChildDiedError("killed")])
async def test_a_service_starts_without_a_model_that_fails(
    name: str, error: Exception, monkeypatch: pytest.MonkeyPatch, two_models: Path
) -> None:
    other = {"scratch": "torch", "torch": "scratch"}[name]
    sha256 = weights.find(name, two_models).sha256
    with monkeypatch.context() as patch:
        forbid(patch, sha256, error)
        async with serving() as (client, state):
            ready = (await client.get("/readyz")).json()
            assert ready["models"] == [other]
            assert str(error) in ready["unavailable"][name]
            assert used(await denoise(client, other))[0] == other
            problems.check(await denoise(client, name), 503, "unavailable", repr(name), str(error))
            assert str(error) in (await client.get(f"/models/{name}")).json()["unavailable"]
            assert (await client.get(f"/models/{other}")).json()["unavailable"] is None
            patch.undo()
            await state.loaded_models.update_now()
            problems.check(await denoise(client, name), 503, "unavailable")  # not tried at every request
            monkeypatch.setattr(loaded_models, "RETRY_SECONDS", 0.0)
            await state.loaded_models.update_now()
            assert used(await denoise(client, name))[0] == name
            assert (await client.get("/readyz")).json()["unavailable"] == {}


async def test_without_any_model_it_lives_and_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, two_models: Path
) -> None:
    for entry in weights.read_index(two_models).values():
        forbid(monkeypatch, entry.sha256, MemoryError())
    async with serving() as (client, _):
        assert (await client.get("/healthz")).status_code == 200
        problems.check(await client.get("/readyz"), 503, "not_ready", "no model can be served")
        problems.check(await denoise(client), 503, "unavailable", "'torch'")
        assert len((await client.get("/models")).json()["models"]) == 2


async def test_a_model_from_before_there_were_limits_is_left_out(tmp_path: Path) -> None:
    eleven = UNet((1,) * 11, (1,) * 11)
    path = tmp_path / "eleven.safetensors"
    weights.save(path, eleven.build(), Card(architectures.describe(eleven)))
    async with serving() as (_, state):
        old = ModelCatalogue(Database(state.settings.database_url), state.folder, check=lambda path: None)
        old.upload(path, "eleven")
    async with serving() as (client, _):
        assert used(await denoise(client))[0] == "torch"
        problems.check(await denoise(client, "eleven"), 503, "unavailable", "73728 pixels a side")


async def test_a_shipped_model_whose_copy_is_damaged_is_restored(
    data: Path, two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = weights.find("torch", two_models)
    copy = data / "models" / f"{entry.sha256}.safetensors"
    async with serving():
        pass
    content = copy.read_bytes()
    copy.write_bytes(content[:-1] + b"x")
    async with serving() as (client, state):  # at the start
        assert copy.read_bytes() == content
        copy.unlink()
        loaded = state.loaded_models
        (lost,) = loaded.models["torch"].denoisers
        monkeypatch.setattr(type(lost), "loss", property(lambda self: "gone" if self is lost else None))
        problems.check(await client.get("/models/torch/download"), 503, "unavailable", "no such weights file")
        await loaded.update_now()  # and when a device could not load it again
        assert copy.read_bytes() == content
        assert used(await denoise(client)) == ("torch", entry.sha256)


async def test_a_damaged_folder_does_not_matter_while_the_copies_are_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights.SHIPPED, folder)
    async with serving(weights=folder):
        pass
    for path in folder.glob("*.safetensors"):
        path.write_bytes(b"damaged")
    async with serving(weights=folder) as (client, _):
        assert used(await denoise(client))[0] == "torch"
        assert "is not added" in caplog.text


async def test_nobody_waits_for_a_model_that_takes_long_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(loaded_models, "WAIT_SECONDS", 0.01)
    begun, go_on = threading.Event(), threading.Event()
    async with serving() as (client, state):
        pinned = elsewhere(state).upload(saved(tmp_path, 1), "mine")
        elsewhere(state).upload(saved(tmp_path, 2), "mine")
        assert used(await denoise(client, "mine@1"))[1] == pinned.sha256
        slow = elsewhere(state).upload(saved(tmp_path, 3), "slow")

        def calibrate(denoiser: RemoteDenoiser) -> None:
            if denoiser.sha256 == slow.sha256:
                begun.set()
                assert go_on.wait(60)

        monkeypatch.setattr(RemoteDenoiser, "calibrate", calibrate)
        waiting = [asyncio.ensure_future(denoise(client, "slow")) for _ in range(20)]
        await asyncio.to_thread(begun.wait, 60)
        async with asyncio.timeout(30):
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.get("/metrics")).status_code == 200
            assert used(await denoise(client, "torch"))[0] == "torch"
            assert used(await denoise(client, "mine@1"))[1] == pinned.sha256
            problems.check(await denoise(client, "nobody"), 404, "unknown_model", "'nobody'")
        assert not any(answer.done() for answer in waiting)
        go_on.set()
        assert {used(answer)[1] for answer in await asyncio.gather(*waiting)} == {slow.sha256}


async def test_a_database_that_is_gone_stops_no_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, data: Path
) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    async with serving() as (client, state):
        state.jobs.database.close()
        hidden = [path.rename(path.with_name(f"{path.name}.gone")) for path in data.glob("n2n.db*")]
        assert hidden
        assert used(await denoise(client, "torch"))[0] == "torch"
        assert "the models stay as they are" in caplog.text


@pytest.mark.slow
async def test_a_device_that_dies_at_every_start_stops_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(quick=False) as (client, state):
        with monkeypatch.context() as patch:
            patch.setattr(device_process, "WORKER", "service.no_device_worker")
            for device in state.loaded_models.devices:
                device.close()
            version = elsewhere(state).upload(saved(tmp_path, 1), "mine")
            await asyncio.to_thread(state.loaded_models.update)
            assert "the models stay as they are" in caplog.text
        assert used(await denoise(client, "mine")) == ("mine", version.sha256)


async def test_a_trained_model_can_be_the_default(tmp_path: Path) -> None:
    async with serving() as (_, state):
        version: Version = state.catalogue.upload(saved(tmp_path, 1), "mine")
    async with serving(default_model="mine") as (client, _):
        assert used(await denoise(client)) == ("mine", version.sha256)
    with pytest.raises(ConfigError, match="'best', expected one of: mine, scratch, torch"):
        create_app(Settings(device="cpu", default_model="best"))


async def test_a_folder_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights.SHIPPED, folder)
    async with serving(weights=folder) as (client, _):
        await denoise(client)
        entry = weights.publish(saved(tmp_path, 1), "new", "", "", folder)
        assert used(await denoise(client, "new")) == ("new", entry.sha256)
        assert (await client.get("/models/new")).json()["source"] == "shipped"
