"""Whatever stands in a file: it is refused with a ProjectError, or it can do no harm below."""

from __future__ import annotations

import copy
import dataclasses
import json
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinforge.errors import Problem, ProjectError
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from twinforge.model.project import Project

RECIPE: dict[str, Any] = {
    "recipe": "tiny",
    "version": "1.0.0",
    "description": "text",
    "python": {
        "packages": [
            "numpy",
            {"twin": {"cpu": "a", "cuda": "b"}, "version": "==1", "when": "python >= 3"},
            {"package": "scipy", "when": "kind == cuda"},
        ],
        "indexes": ["https://packages.example.com/simple"],
    },
    "parity": {"exempt": {"numpy": "reason"}},
    "system": {"packages": ["libgomp1"], "cuda": ["libnuma1"]},
    "steps": ["echo"],
    "program": "program",
    "env": {"A": "1"},
    "template": "program/train",
    "smoke": {
        "train": {"channels": {"training": "program"}, "hyperparameters": {"a": "1"}},
        "invocations": [
            {
                "content_type": "text/csv",
                "accept": "text/csv",
                "body": "program/train",
                "labels": "program/train",
                "json": {"/0": "a"},
            }
        ],
    },
    "axes": {"size": ["small"]},
    "overrides": [
        {
            "when": "cuda > 12 and not (flavor == full or size in [big, huge])",
            "env": {"A": "2"},
            "python": {"packages": ["numpy<2"]},
            "system": {"packages": ["curl"], "cuda": ["libnuma1=2"]},
            "smoke": {"startup_s": 3, "train": {"hyperparameters": {"a": "2"}}},
        }
    ],
}
HEIR = {"recipe": "heir", "extends": "tiny", "axes": {"size": ["small", "big", "huge"]}}
MATRIX: dict[str, Any] = {
    "bases": {
        "debian-12": {"bootstrap": "bookworm", "snapshot": "20260101", "packages": ["python3"]},
        "other": {"image": "debian:12", "os": "bookworm", "cuda": "12.9"},
    },
    "accelerators": {"cpu": {}, "cu129": {"cuda": "12.9", "cudnn": "9", "packages": ["libc6"]}},
    "axes": {
        "accelerator": ["cpu", "cu129"],
        "os": ["debian-12"],
        "python": ["3.11"],
        "flavor": ["slim", "full"],
    },
    "derive": {
        "line": {"from": "accelerator", "map": {"cpu": "none"}, "default": "new"},
        "rung": {"from": ["line", "python"], "map": {"none/3.11": "low", "new/3.11": "high"}},
    },
    "exclude": [{"flavor": "full", "recipe": "tiny"}, {"when": "rung == high and size == big"}],
    "include": [{"recipe": "tiny", "accelerator": "cpu", "flavor": "none"}],
    "overrides": [{"when": "recipe == 'heir'", "env": {"B": "1"}}],
    "groups": {"pr": {"accelerator": "cpu"}, "nightly": {"sample": "pairwise", "when": "cuda > 1"}},
    "aliases": {"latest-{line}": {"recipe": "tiny", "flavor": "none", "when": "kind == cpu"}},
    "registry": {
        "kind": "ecr",
        "account": "123456789012",
        "regions": ["eu-west-1"],
        "repository": "ml/{recipe}",
    },
}
FILES = {"recipes/tiny.yaml": RECIPE, "recipes/heir.yaml": HEIR, "matrix.yaml": MATRIX}

# characters that have ended lines, words, instructions or quotes somewhere before
NASTY = st.text(
    st.sampled_from("a1.-_/: \n\r\t\v\x00\x1b\x7f\x85\u2028\u202e'\"`$(){}[]\\#;&|<>@=%*?~!,")
)
TEXTS = st.one_of(
    NASTY, st.text(), st.tuples(st.sampled_from(["numpy", "1.0", "a"]), NASTY).map("".join)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "recipes").mkdir()
    (root / "program").mkdir()
    for name in ("train", "serve"):
        (root / "program" / name).write_text("#!/bin/sh\n")
        (root / "program" / name).chmod(0o755)
    write(root, {})
    return root


def write(root: Path, changed: Mapping[str, bytes]) -> None:
    for path, value in FILES.items():
        (root / path).write_bytes(changed.get(path, json.dumps(value).encode()))


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, and of every key as (..., key, None)."""
    if where:
        yield where
    steps: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        steps = enumerate(value)
    for step, item in steps:
        if isinstance(step, str):
            yield (*where, step, None)
        yield from places(item, (*where, step))


def replaced(value: Any, where: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    *parents, last = where
    if last is None:
        *parents, key = parents
    target = changed
    for step in parents:
        target = target[step]
    if last is None:
        target[new if isinstance(new, str) else json.dumps(new)] = target.pop(key)
    else:
        target[last] = new
    return changed


PLACES = [(path, where) for path, value in FILES.items() for where in places(value)]


def strings(value: Any, *, is_step: bool = False) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, is_step
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from strings(item, is_step=is_step)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name), is_step=field.name == "steps")
    elif value is not None and not isinstance(value, int | float | Path):
        yield str(value), False


def loaded(root: Path) -> tuple[Project | None, tuple[Problem, ...]]:
    try:
        return load_project(root), ()
    except ProjectError as error:
        return None, error.problems


def assert_harmless(root: Path) -> None:
    project, problems = loaded(root)
    assert all(str(problem).isprintable() for problem in problems)
    assert (project is None) == bool(problems)
    for text, is_step in strings(project):
        allowed = "\n\t" if is_step else ""
        found = [c for c in text if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
        assert set(found) <= set(allowed), text


def test_the_examples_are_fine_as_they_are(root: Path) -> None:
    write(root, {})
    assert len(load_project(root).variants) == 13


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), text=TEXTS)
def test_text_in_any_place_is_refused_or_harmless(
    root: Path, place: tuple[str, tuple[Any, ...]], text: str
) -> None:
    path, where = place
    changed = json.dumps(replaced(FILES[path], where, text)).encode()
    write(root, {path: changed})
    assert_harmless(root)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_in_any_place_is_refused_or_harmless(
    root: Path, place: tuple[str, tuple[Any, ...]], value: Any
) -> None:
    path, where = place
    changed = json.dumps(replaced(FILES[path], where, value)).encode()
    write(root, {path: changed})
    assert_harmless(root)


@settings(deadline=None, max_examples=100)
@given(path=st.sampled_from(sorted(FILES)), data=st.binary())
def test_any_bytes_are_refused_or_harmless(root: Path, path: str, data: bytes) -> None:
    write(root, {path: data})
    assert_harmless(root)
