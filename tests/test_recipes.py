"""The recipes of the shipped models can be followed."""

from pathlib import Path

import pytest

from n2n_core.models import architectures, weights
from n2n_core.training import config_file

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))


def test_every_model_has_its_recipe() -> None:
    assert {path.stem for path in RECIPES} == set(architectures.MODELS)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_complete_and_says_its_command(path: Path) -> None:
    recipe = config_file.load(path)
    assert recipe.train.model == path.stem
    assert recipe.data
    command = f"n2n train photos/bsds photos/imagenet -o runs/{path.stem} --recipe recipes/{path.name}"
    assert command in path.read_text()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_shipped_weights_were_made_by_it(path: Path) -> None:
    _, card = weights.read(weights.find(path.stem).path)
    for name, value in config_file.load(path).train.model_dump(exclude_unset=True).items():
        assert card.recipe[name] == value, name
