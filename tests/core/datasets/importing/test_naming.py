"""Names are grouped into scenes, and errors quote a name that does not fit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2n_core.datasets.importing.naming import KINDS, find_scenes, natural, usual_split
from n2n_core.errors import ConfigError, DataError


def pair(first: str, second: str) -> dict[str, str]:
    return {"first": first, "second": second}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("noisy1/x.png", "noisy2/x.png"),
        ("a/x.png", "b/x.tif"),
        ("input/x.png", "target/x.png"),
        ("noisy/x.png", "clean/x.png"),
        ("zebra/x.png", "gt/x.png"),
        ("set/train/noisy1/deep/x.png", "set/train/noisy2/deep/x.png"),
        ("x_a.png", "x_b.png"),
        ("x_1.png", "x_2.png"),
        ("x-noisy1.png", "x-noisy2.png"),
        ("x_A.PNG", "x_B.PNG"),
        ("x.input.png", "x.target.png"),
        ("x_noisy.png", "x_clean.png"),
        ("take 12_9.png", "take 12_10.png"),
    ],
)
def test_usual_pairs_are_found_in_order(first: str, second: str) -> None:
    assert list(find_scenes([second, first], "pairs").values()) == [[first, second]]


def test_scenes_are_in_the_order_of_their_names() -> None:
    names = [f"{folder}/{scene}.png" for folder in "ab" for scene in (10, 2, 1)]
    assert [shots[0] for shots in find_scenes(names, "pairs").values()] == ["a/1.png", "a/2.png", "a/10.png"]


def test_folders_at_another_depth_are_found() -> None:
    names = [f"{scene}/{shot}/x.png" for scene in "pqr" for shot in ("n1", "n2")]
    assert len(find_scenes(names, "pairs")) == 3


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("{scene}x{shot}", ["1x2.png", "1x3.png"]),
        ("take{shot}/{scene}", ["take1/p.png", "take2/p.png"]),
        (r"(?P<shot>\d)-of-(?P<scene>\w+)", ["1-of-p.png", "2-of-p.png"]),
    ],
)
def test_a_rule_of_ones_own(rule: str, names: list[str]) -> None:
    assert list(find_scenes(names, "pairs", rule).values()) == [names]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("(", "is not a regular expression"),
        ("{scene}", "expected the groups 'scene' and 'shot'"),
        ("(?P<scene>x)", "expected the groups"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(rule: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(rule)) as caught:
        find_scenes(["a.png"], "pairs", rule)
    assert reason in str(caught.value)
    assert caught.value.field == "rule"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            ["a/x.png", "a/y.png", "b/x.png"],
            "^a/y.png: the only picture of its scene, expected another picture of scene 'y'",
        ),
        (["x_1.png", "x_2.png", "y_1.png"], "^y_1.png: the only picture of its scene"),
        (["x_1.png", "x_2.png", "x_3.png"], "scene 'x' has 3 pictures .*kind bursts allows more"),
        (
            ["x_1.png", "holiday.png"],
            "^holiday.png: cannot tell the scene and shot .*, expected two",
        ),
        (["a/x.png", "a/x.tif", "b/x.png"], "^a/x.png and a/x.tif: both are shot 'a' of scene 'x'"),
    ],
)
def test_pairs_that_do_not_fit_are_named(names: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        find_scenes(names, "pairs")


def test_bursts_are_a_folder_a_scene_or_named() -> None:
    folders = ["p/3.png", "p/20.png", "q/x.png", "q/y.png", "q/z.png"]
    assert find_scenes(folders, "bursts") == {"p": folders[:2], "q": folders[2:]}
    named = ["r/p_1.png", "r/p_2.png", "r/p_10.png", "r/q_1.png", "r/q_2.png"]
    assert find_scenes(named, "bursts") == {"p": named[:3], "q": named[3:]}
    with pytest.raises(DataError, match=r"^q/x\.png: the only picture of its scene"):
        find_scenes(folders[:3], "bursts")
    with pytest.raises(DataError, match=r"^y\.png: .*a folder for each scene"):
        find_scenes(["y.png", "z.png"], "bursts")


def test_a_folder_can_be_said_to_be_a_shot_or_a_scene() -> None:
    names = ["p/1.png", "p/2.png", "q/1.png", "q/2.png", "r/1.png", "r/2.png"]
    assert len(find_scenes(names, "bursts", folders="shots")) == 2
    assert len(find_scenes(names, "pairs", folders="scenes")) == 3


@pytest.mark.parametrize("kind", ["single", "clean"])
def test_every_picture_is_a_scene(kind: str) -> None:
    assert find_scenes(["b/x.png", "a_1.png"], kind) == {"a_1.png": ["a_1.png"], "b/x.png": ["b/x.png"]}


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=f"'triples', expected one of: {', '.join(KINDS)}"):
        find_scenes(["a.png"], "triples")


@given(st.sets(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1), st.randoms())
def test_any_scenes_in_two_folders_are_paired(scenes: set[str], random: st.DataObject) -> None:
    names = [f"{folder}/{scene}.png" for folder in ("first", "second") for scene in scenes]
    random.shuffle(names)  # type: ignore[attr-defined]
    found = find_scenes(names, "pairs")
    assert found == {scene: [f"first/{scene}.png", f"second/{scene}.png"] for scene in scenes}


PIECES = st.sampled_from(["-", "_", " ", "1", "20", "noisy", "Shot", "img", "a", "b", "x", "first", "ref"])
USUAL = re.compile(
    r"(?P<scene>.+?)[-_. ]+(?P<shot>(?:noisy|noise|shot|frame|image|img)?[-_]?\d+"
    r"|[ab]|first|second|input|target|source|noisy|clean|gt|reference|ref)",
    re.IGNORECASE,
)
"""What usual names are. Names of many separators take it quadratic time, so it is only the reference."""


@given(st.lists(PIECES, max_size=7).map("".join))
def test_usual_names_are_split_as_by_a_pattern(name: str) -> None:
    match = USUAL.fullmatch(name)
    assert usual_split(name) == ((match["scene"], match["shot"]) if match else None)


@given(st.lists(st.text(max_size=8)))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural)) == sorted(names)
