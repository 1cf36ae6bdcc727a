"""Groups pictures into scenes by their file names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from n2n_core.errors import ConfigError, DataError

KINDS = {
    "pairs": "two noisy pictures of each scene",
    "bursts": "two or more noisy pictures of each scene",
    "single": "one noisy picture of each scene",
    "clean": "one clean picture of each scene; noise is added in training",
}
"""The kinds of dataset, with a description of each."""

SEPARATORS = "-_. "
NUMBERED = ("noisy", "noise", "shot", "frame", "image", "img", "")
"""What may be before the number of a shot, with ``-`` or ``_`` between them: ``x_1``, ``x-noisy2``."""

NAMED = ("a", "b", "first", "second", "input", "target", "source", "noisy", "clean", "gt", "reference", "ref")
"""Usual names of shots without a number: ``x_a`` and ``x_b``, ``x_input`` and ``x_target``."""

LAST = {"second", "target", "clean", "gt", "reference", "ref"}
"""Names of shots that are the target of a pair, whatever their alphabetical order."""

EXPECTED = {
    "pairs": "two folders with equal file names, given together, or names such as x_a and x_b, x_1 and x_2",
    "bursts": "a folder for each scene, or names such as x_1, x_2, x_3",
}

SceneFiles = dict[str, list[str]]
"""Maps the name of each scene to its shots' file names, both in order."""

Split = Callable[[str], tuple[str, str] | None]
"""A function that splits a name into scene and shot, or returns None if it does not fit."""


def find_scenes(
    names: Sequence[str], kind: str, rule: str | None = None, folders: str = "auto"
) -> SceneFiles:
    """Group ``names``, with ``/`` as separator, into scenes.

    Args:
        names: file names, all different.
        kind: one of ``KINDS``.
        rule: a template such as ``{scene}_{shot}`` or ``take{shot}/{scene}``, or a regular expression
            with the groups ``scene`` and ``shot``. It must match the whole name, without the folders that
            all names share and without the suffix.
        folders: what a folder contains: a scene (``scenes``), or one shot of each scene (``shots``).
            ``auto`` means shots for pairs and scenes for bursts; without folders, names tell.

    Raises:
        DataError: a name does not fit, or a scene has too few or too many shots.
        ConfigError: ``kind`` or ``rule`` is invalid.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind is {kind!r}, expected one of: {', '.join(KINDS)}")
    names = sorted(names, key=natural)
    if kind in ("single", "clean"):
        return {name: [name] for name in names}
    short = _without_root(names)
    split = _rule(rule) if rule else _by_names(list(short.values()), kind, folders)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        _enter(found, name, split(short[name]), rule or EXPECTED[kind])
    return {scene: _shots(scene, found[scene], kind) for scene in sorted(found, key=natural)}


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key by which ``x2`` comes before ``x10``."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() and part.isascii() else (0, part) for part in parts]


def _enter(found: dict[str, dict[str, str]], name: str, place: tuple[str, str] | None, expected: str) -> None:
    if place is None:
        detail = f"{name}: cannot tell the scene and shot from the name, expected {expected}"
        raise DataError(detail, "rule")
    scene, shot = place
    if shot in found[scene]:
        detail = f"{found[scene][shot]} and {name}: both are shot {shot!r} of scene {scene!r}"
        raise DataError(detail, "rule")
    found[scene][shot] = name


def _shots(scene: str, shots: dict[str, str], kind: str) -> list[str]:
    names = [shots[shot] for shot in sorted(shots, key=lambda s: (s.lower() in LAST, natural(s.lower())))]
    if len(names) < 2:
        expected = f"expected another picture of scene {scene!r} in the same import"
        raise DataError(f"{names[0]}: the only picture of its scene, {expected}", "rule")
    if kind == "pairs" and len(names) > 2:
        shown = ", ".join(names[:3])
        detail = (
            f"scene {scene!r} has {len(names)} pictures ({shown}...), expected 2; kind bursts allows more"
        )
        raise DataError(detail, "kind")
    return names


def _without_root(names: Sequence[str]) -> dict[str, str]:
    """Map each name to itself without suffix and without the folders that all share."""
    parts = {name: PurePosixPath(name).with_suffix("").parts for name in names}
    levels = zip(*(path[:-1] for path in parts.values()), strict=False)
    shared = len(list(takewhile(lambda folders: len(set(folders)) == 1, levels)))
    return {name: "/".join(path[shared:]) for name, path in parts.items()}


def _rule(rule: str) -> Split:
    """Compile ``rule`` to a function."""
    pattern = rule
    if "{scene}" in rule and "{shot}" in rule:
        pieces = {"{scene}": "(?P<scene>.+)", "{shot}": "(?P<shot>[^/]+)"}
        pattern = "".join(pieces.get(p, re.escape(p)) for p in re.split(r"(\{scene\}|\{shot\})", rule))
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        detail = f"the naming rule {rule!r} is not a regular expression ({error})"
        raise ConfigError(detail, "rule") from error
    if not {"scene", "shot"} <= set(compiled.groupindex):
        detail = f"the naming rule is {rule!r}, expected the groups 'scene' and 'shot' in it"
        raise ConfigError(detail, "rule")
    return lambda name: _matched(compiled, name)


def _matched(pattern: re.Pattern[str], name: str) -> tuple[str, str] | None:
    match = pattern.fullmatch(name)
    return (match["scene"] or "", match["shot"] or "") if match else None


def _by_names(names: list[str], kind: str, folders: str) -> Split:
    """Return the function that splits names by their folders or, without folders, by their usual endings."""
    if folders == "scenes":
        return _folder_is_scene
    if folders == "auto" and kind == "bursts":
        return _folder_is_scene if all("/" in name for name in names) else usual_split
    for index in _shot_folders(names, kind):
        return lambda name: _folder_is_shot(name, index)
    return usual_split


def usual_split(name: str) -> tuple[str, str] | None:
    """Split a name such as ``x_a``, ``x_1`` or ``x-noisy2``, as short a scene as can be.

    >>> usual_split("x__noisy-02"), usual_split("x.target"), usual_split("x2"), usual_split("_a")
    (('x', 'noisy-02'), ('x', 'target'), None, None)
    """
    stem = name.rstrip("0123456789")
    numbered = [word + mark for word in NUMBERED for mark in ("-", "_", "")]
    found = []
    for ending in numbered if len(stem) < len(name) else NAMED:
        start = len(stem) - len(ending)
        scene = stem[: max(start, 0)].rstrip(SEPARATORS) or stem[:1]
        if stem[start:].lower() == ending and 0 < len(scene) < start:
            found.append((scene, name[start:]))
    return min(found, key=lambda split: (len(split[0]), len(split[1])), default=None)


def _folder_is_scene(name: str) -> tuple[str, str]:
    scene, _, shot = name.rpartition("/")
    return scene, shot


def _folder_is_shot(name: str, index: int) -> tuple[str, str]:
    parts = name.split("/")
    return "/".join(parts[:index] + parts[index + 1 :]), parts[index]


def _shot_folders(names: list[str], kind: str) -> Iterator[int]:
    """Yield the depths at which folders can be shots: there are two folders, or more for bursts."""
    folders = [name.split("/")[:-1] for name in names]
    for index in range(min(map(len, folders), default=0)):
        choices = {path[index] for path in folders}
        if len(choices) == 2 or (kind == "bursts" and len(choices) > 2):
            yield index
