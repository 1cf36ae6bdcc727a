"""Limits of the models that the service takes: size of the file, description, shape and work of the network.

Each of them is several times what our own models have. A model within them can be loaded, measured and run
tile by tile beside others.
"""

import json
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from n2n_core.errors import WeightsError
from n2n_core.models import weights
from n2n_core.models.weights import Card

if TYPE_CHECKING:
    from n2n_core.models.torch_modules import Network

MAX_HEADER_BYTES = 2**20
"""Of a weights file: the names and shapes of its tensors, and the card."""

MAX_TENSORS = 1024
MAX_VALUES = 2**26

MAX_CARD_BYTES = 2**16
"""Of a card as JSON. It is stored in the database, and sent with every list of models."""

MAX_WINDOW = 1024
"""Side in pixels of a tile that is not mostly context. A tile must fit in the memory of one batch."""

MAX_PERIOD = 32
"""Pixels that the sides of tiles are multiples of."""

MAX_MINIMUM = 256
"""Pixels that the smallest picture is padded to."""

MAX_MACS = 2**21
"""Multiply-accumulates of a pixel: ten times those of our heaviest model."""


def load(path: Path, expected: str | None = None) -> tuple["Network", Card]:
    """Load a weights file whose model is within the limits.

    Args:
        expected: the SHA-256 that the file must have, if that is known.

    Raises:
        WeightsError: the file is not a model, not the expected one, or beyond a limit.
    """
    content = weights.contents(path, expected)
    _check("its header", min(weights.header_end(content), len(content)) - 8, MAX_HEADER_BYTES, "bytes")
    state, card = weights.parse(content, path)
    check_card_size(card)
    _check("the file", len(state), MAX_TENSORS, "tensors")
    _check("the file", sum(tensor.numel() for tensor in state.values()), MAX_VALUES, "values")
    network, _ = weights.rebuild(state, card, path)
    check_network(network)
    return network, card


def check_card_size(card: Card) -> None:
    """Raise ``WeightsError`` if a card, as JSON, is too long to be listed."""
    size = len(json.dumps(vars(card)))
    _check("its description (architecture, recipe, data, metrics, licence)", size, MAX_CARD_BYTES, "bytes")


def check_network(network: "Network") -> None:
    """Raise ``WeightsError`` if a network's tiles are too large, or a pixel takes too much work."""
    from n2n_core.inference import tiling
    from n2n_core.models.macs import macs_per_pixel

    geometry = tiling.geometry(network)
    tile = f"a tile, of which {2 * geometry.halo} are context,"
    _check(tile, geometry.window(), MAX_WINDOW, "pixels a side")
    _check("the period of a tile's sides", geometry.period, MAX_PERIOD, "pixels")
    _check("the smallest picture", geometry.minimum, MAX_MINIMUM, "pixels a side")
    _check("the work for a pixel", ceil(macs_per_pixel(network)), MAX_MACS, "multiply-accumulates")


def _check(what: str, found: int, most: int, unit: str) -> None:
    if found > most:
        raise WeightsError(f"{what} has {found} {unit}, expected at most {most}")
