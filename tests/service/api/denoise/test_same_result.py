"""``Denoiser.enhance``, ``n2n denoise`` and ``POST /denoise`` give the same file, to the bit.

The network runs on one image at a time here, in all three: torch's convolutions may round the last bit of
their sums another way in another batch, and the service makes batches of what waits.
"""

from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from benchmarks.contrast_stretch import noisy, sky
from n2n_core import image
from n2n_core.image import Bits, Picture, Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from service.inference.device_process import RemoteDenoiser
from service.inference.lines import Cores
from tests.core.cli.test_cli import n2n
from tests.pairwise import grid

pytestmark = pytest.mark.anyio
OPTIONS = [(1.0, False), (0.3, False), (1.0, True), (0.3, True)]
FORMATS: dict[Bits, str] = {8: "png", 16: "png", 32: "tiff"}


@cache
def denoiser(model: str) -> Denoiser:
    return Denoiser.load(weights.find(model).path, "cpu")


def night(bits: Bits, channels: int) -> bytes:
    """A file whose noise is finer than 8 bits, and smaller than a tile."""
    _, clean = sky(60, 76)
    picture = Picture(noisy(clean, 0.4)[:channels], bits=bits)
    return image.encode(picture, FORMATS[bits])


@pytest.mark.parametrize(
    ("options", "channels", "bits", "chosen"),
    grid(OPTIONS, (1, 3), [*FORMATS], [("photo", True), ("scratch", False)]),
)
async def test_python_the_command_and_the_service_agree(
    options: tuple[float, bool], channels: int, bits: Bits, chosen: tuple[str, bool],
    client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (strength, ensemble), (model, is_blind) = options, chosen

    async def one_by_one(own: RemoteDenoiser, batch: Pixels, line: int, cores: Cores, exact: bool) -> Pixels:
        assert exact == (bits > 8)
        tiles = torch.from_numpy(batch)
        return torch.cat([denoiser(model).run(tile[None], exact) for tile in tiles]).numpy()

    monkeypatch.setattr(RemoteDenoiser, "run", one_by_one)
    content, format = night(bits, channels), FORMATS[bits]
    source, target = tmp_path / f"in.{format}", tmp_path / f"out.{format}"
    source.write_bytes(content)

    enhanced = denoiser(model).enhance(image.decode(content), strength, self_ensemble=ensemble)

    flags = ["--self-ensemble"] if ensemble else []
    where = ("--weights", weights.SHIPPED, "--device", "cpu", "--model", model)
    assert n2n("denoise", source, "-o", target, *where, "--strength", strength, *flags) == 0

    params = {"model": model, "strength": str(strength), "self_ensemble": str(ensemble).lower()}
    response = await client.post("/denoise", files={"file": content}, params=params)
    assert response.status_code == 200

    by_python = image.encode(enhanced.picture)
    assert by_python == target.read_bytes() == response.content
    assert (enhanced.stretch is not None) == (is_blind and bits > 8)
    assert (enhanced.spread is not None) == ensemble


async def test_the_blind_model_needs_its_stretch() -> None:
    """What a user of the bare network would get differs by many levels of 16 bits."""
    picture = image.decode(night(16, 3))
    own = denoiser("photo")
    bare = Denoiser(own.network, "cpu").enhance(picture)
    assert bare.stretch is None
    difference = np.abs(bare.picture.colour - own.enhance(picture).picture.colour)
    assert difference.max() * 65535 > 50
