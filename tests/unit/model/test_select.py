from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import UsageError
from twinforge.model.load import load_project
from twinforge.model.select import select_variants

if TYPE_CHECKING:
    from twinforge.model.project import Project

PROJECTS = Path(__file__).parents[2] / "projects"
DEFAULT = [
    "digits/cpu-ubuntu22.04-py3.10",
    "digits/cu118-ubuntu22.04-py3.10",
    "words/cpu-ubuntu22.04-py3.10",
]


@pytest.fixture(scope="module")
def two() -> Project:
    return load_project(PROJECTS / "good-two-recipes")


def ids(project: Project, *selectors: str) -> list[str]:
    return [variant.id for variant in select_variants(project, selectors)]


def test_no_selector_means_the_default_group(two: Project) -> None:
    assert ids(two) == DEFAULT


def test_no_selector_and_no_default_group_means_everything() -> None:
    project = load_project(PROJECTS / "good-minimal")
    assert select_variants(project, []) == project.variants


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (
            "words",
            [
                "words/cpu-ubuntu22.04-py3.10",
                "words/cpu-ubuntu22.04-py3.11",
                "words/cpu-debian12-py3.11",
            ],
        ),
        ("digits/cu118-debian12-py3.11", ["digits/cu118-debian12-py3.11"]),
        ("*/cpu-debian12-*", ["digits/cpu-debian12-py3.11", "words/cpu-debian12-py3.11"]),
        (
            "accelerator=cu118",
            [
                "digits/cu118-ubuntu22.04-py3.10",
                "digits/cu118-ubuntu22.04-py3.11",
                "digits/cu118-debian12-py3.11",
            ],
        ),
        ("os=debian-*,recipe=words", ["words/cpu-debian12-py3.11"]),
        ("words:pr", ["words/cpu-debian12-py3.11"]),
        (
            ":pr",
            [
                "digits/cpu-debian12-py3.11",
                "digits/cu118-debian12-py3.11",
                "words/cpu-debian12-py3.11",
            ],
        ),
        (":default", DEFAULT),
    ],
)
def test_a_selector_names_variants(two: Project, selector: str, expected: list[str]) -> None:
    assert ids(two, selector) == expected


def test_several_selectors_are_a_union_in_declared_order(two: Project) -> None:
    selected = ids(two, "words:pr", "accelerator=cpu,os=debian-12", "digits/cpu-debian12-py3.11")
    assert selected == ["digits/cpu-debian12-py3.11", "words/cpu-debian12-py3.11"]


@pytest.mark.parametrize(
    ("selector", "message", "hint"),
    [
        ("digts", "the selector 'digts' matches no variant", "did you mean 'digits'?"),
        (
            "digits/cu118-debian12-py3.10",
            "the selector 'digits/cu118-debian12-py3.10' matches no variant",
            "matrix.yaml:15:5 excludes it",
        ),
        (
            "acelerator=cpu",
            "the selector 'acelerator=cpu' names an unknown axis 'acelerator'",
            "did you mean 'accelerator'?",
        ),
        (
            "accelerator=cu128",
            "the selector 'accelerator=cu128' matches no variant",
            "did you mean 'accelerator=cu118'?",
        ),
        ("digits:prr", "the group 'prr' does not exist", "did you mean 'pr'?"),
        ("word:pr", "the selector 'word:pr' matches no variant", "did you mean 'words:pr'?"),
        ("zzz", "the selector 'zzz' matches no variant", "`twinforge matrix` lists the variants"),
    ],
)
def test_a_selector_that_names_nothing_is_an_error_with_a_hint(
    two: Project, selector: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ids(two, "digits", selector)
    assert (caught.value.message, caught.value.hint) == (message, hint)
