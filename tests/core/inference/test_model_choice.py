"""The model that ``auto`` selects."""

import pytest

from n2n_core.errors import UnknownModelError
from n2n_core.inference.model_choice import PREFERENCE, choose
from n2n_core.models import weights


@pytest.mark.parametrize("place", range(len(PREFERENCE)))
def test_the_best_of_those_that_there_are(place: int) -> None:
    models = ["a", *reversed(PREFERENCE[place:]), "z"]
    assert choose(models) == PREFERENCE[place]


def test_the_shipped_models_offer_one() -> None:
    assert choose(weights.read_index()) in weights.read_index()


@pytest.mark.parametrize("models", [[], ["mine", "auto"]])
def test_ones_own_models_are_not_guessed_at(models: list[str]) -> None:
    with pytest.raises(UnknownModelError, match="unknown model 'auto'"):
        choose(models)
