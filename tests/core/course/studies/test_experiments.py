"""The studies match the report: recipes, networks and figures."""

from itertools import pairwise

import pytest

from n2n_core.course.studies import PAIRS, STUDIES, PlotKind, Study, StudyRun
from n2n_core.course.studies.experiments import BATCHES
from n2n_core.course.studies.planted import Unswapped
from n2n_core.models import architectures
from n2n_core.models.weights import count_parameters

EACH = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def parameters(run: StudyRun) -> int:
    return count_parameters(run.architecture.build())


def test_every_experiment_of_the_report_is_there_and_what_it_left_open() -> None:
    names = "initial depth channels skip batch-size epochs final scratch samples gains"
    assert list(STUDIES) == names.split()


@EACH
def test_labels_differ_and_nothing_but_gains_uses_what_the_report_did_not(study: Study) -> None:
    labels = [run.label for run in study.runs]
    assert len(set(labels)) == len(labels)
    for run in study.runs:
        assert run.config.seed == 0
        if study is not STUDIES["gains"]:
            assert (run.config.augment, run.config.swap, run.config.schedule) == (False, False, "constant")
            assert (run.config.loss, run.config.ema, run.clean) == ("mse", 0.0, False)


@EACH
def test_points_have_a_place_on_the_axis(study: Study) -> None:
    if study.kind is PlotKind.POINTS:
        assert all(run.x is not None for run in study.runs)
        assert {x for x, _ in study.points} <= {run.x for run in study.runs}


def test_depths_have_the_reports_parameters_with_and_without_residuals() -> None:
    runs = STUDIES["depth"].runs
    counts = [20_259, 20_533, 20_729, 20_131, 20_253]
    assert [parameters(run) for run in runs] == counts * 2
    assert [run.report for run in runs[:5]] == [23.69, 22.63, 20.91, 20.10, 19.31]
    assert [run.x for run in runs] == [4, 6, 8, 10, 12] * 2
    assert all(run.pairs(1.0) == 5000 for run in runs)


def test_channels_go_from_10_to_400() -> None:
    runs = STUDIES["channels"].runs
    assert [run.x for run in runs] == list(range(10, 401, 10))
    assert {(run.config.epochs, run.config.batch_size, run.pairs(1.0)) for run in runs} == {(1, 5, 5000)}
    counts = [parameters(run) for run in runs[:12]]
    assert all(less < more for less, more in pairwise(counts))
    assert counts[9] == 185_703


def test_batch_sizes_are_the_divisors_of_the_pairs_up_to_50() -> None:
    assert [size for size in range(1, 51) if PAIRS % size == 0] == list(BATCHES)
    runs = STUDIES["batch-size"].runs
    assert [run.config.batch_size for run in runs] == list(BATCHES)
    assert {run.repeats for run in runs} == {5}
    assert {run.x: run.report for run in runs if run.report} == {8: 24.96, 50: 24.52}


def test_skip_final_and_scratch_are_the_reports() -> None:
    assert [(run.report, parameters(run)) for run in STUDIES["skip"].runs] == [
        (24.43, 185_703),
        (24.69, 188_403),
    ]
    (final,) = STUDIES["final"].runs
    assert (final.config.epochs, final.config.batch_size, final.report, final.seconds) == (
        10,
        8,
        25.32,
        197.95,
    )
    right, planted = STUDIES["scratch"].runs
    assert right.architecture == architectures.MODELS["scratch"]
    assert isinstance(planted.architecture, Unswapped)
    assert right.config == planted.config
    assert (planted.config.optimizer, planted.config.lr, planted.config.epochs) == ("sgd", 0.1, 50)
    assert (planted.report, planted.seconds) == (23.42, 2760.95)


def test_every_gain_changes_one_thing_and_takes_as_many_steps() -> None:
    baseline, *others = STUDIES["gains"].runs
    for run in others[:-1]:
        own, base = (vars(chosen.config) for chosen in (run, baseline))
        changed = [name for name in own if own[name] != base[name]] + ["clean"] * run.clean
        assert len(changed) == 1
        assert run.config.epochs * run.pairs(1.0) == baseline.config.epochs * PAIRS


def test_a_scale_leaves_a_batch_at_least() -> None:
    run = STUDIES["initial"].runs[0]
    assert (run.pairs(0.5), run.pairs(1e-9)) == (2500, 50)
