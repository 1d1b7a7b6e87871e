from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from twinforge.model.schema import json_schema, schema_text
from twinforge.yamlfile import parse_yaml

ROOT = Path(__file__).parents[3]
Kind = Literal["recipe", "matrix"]
KINDS: list[Kind] = ["recipe", "matrix"]
GOOD: list[tuple[Kind, Path]] = [
    ("matrix" if path.name == "matrix.yaml" else "recipe", path)
    for project in [
        ROOT,
        ROOT / "tests/projects/keeping",
        *sorted((ROOT / "tests/projects").glob("good-*")),
    ]
    for path in [project / "matrix.yaml", *sorted(project.glob("recipes/*.yaml"))]
]


def value_of(path: Path) -> Any:
    # the schema speaks of what editors see, where 0.10 in env is a number
    value = parse_yaml(path.read_bytes(), path.name).value()
    return lists(value)


def lists(value: Any) -> Any:
    """Editors know lists, not tuples, and take what is unclear for text."""
    if isinstance(value, dict):
        return {key: lists(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [lists(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_current(kind: Kind) -> None:
    committed = ROOT / f"twinforge/schema/{kind}.schema.json"
    assert committed.read_text() == schema_text(kind), (
        f"write it anew: twinforge schema {kind} > twinforge/schema/{kind}.schema.json"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_follows_its_dialect(kind: Kind) -> None:
    Draft202012Validator.check_schema(json_schema(kind))


@pytest.mark.parametrize(("kind", "path"), GOOD, ids=lambda value: str(value)[-40:])
def test_good_files_follow_the_schema(kind: Kind, path: Path) -> None:
    errors = Draft202012Validator(json_schema(kind)).iter_errors(value_of(path))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    ("kind", "project", "file"),
    [
        ("recipe", "bad-misspelt-keys", "recipes/tiny.yaml"),
        ("recipe", "bad-apt-name", "recipes/tiny.yaml"),
        ("recipe", "bad-nothing-there", "recipes/tiny.yaml"),
        ("recipe", "bad-twin", "recipes/tiny.yaml"),
        ("matrix", "bad-axis-missing", "matrix.yaml"),
        ("matrix", "bad-axis-name", "matrix.yaml"),
        ("matrix", "bad-python-3.10", "matrix.yaml"),
    ],
)
def test_an_editor_sees_what_is_wrong(kind: Kind, project: str, file: str) -> None:
    value = value_of(ROOT / "tests/projects" / project / file)
    assert not Draft202012Validator(json_schema(kind)).is_valid(value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_description(kind: Kind) -> None:
    schema = json_schema(kind)
    parts = [schema, *schema["$defs"].values()]
    without = [
        key
        for part in parts
        for key, value in part.get("properties", {}).items()
        if not value.get("description")
    ]
    assert without == []
