from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.model.alias import expand_alias, release_values
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from twinforge.model.project import Project

PROJECTS = Path(__file__).parents[2] / "projects"


@pytest.fixture(scope="module")
def two() -> Project:
    return load_project(PROJECTS / "good-two-recipes")


def test_variants_come_in_declared_order_without_the_excluded(two: Project) -> None:
    assert [variant.id for variant in two.variants] == [
        "digits/cpu-ubuntu22.04-py3.10",
        "digits/cpu-ubuntu22.04-py3.11",
        "digits/cpu-debian12-py3.11",
        "digits/cu118-ubuntu22.04-py3.10",
        "digits/cu118-ubuntu22.04-py3.11",
        "digits/cu118-debian12-py3.11",
        "words/cpu-ubuntu22.04-py3.10",
        "words/cpu-ubuntu22.04-py3.11",
        "words/cpu-debian12-py3.11",
    ]


def test_a_cuda_variant_takes_the_base_that_brings_its_cuda_or_else_the_plain_one(
    two: Project,
) -> None:
    assert {variant.id: variant.base.name for variant in two.variants[:6]} == {
        "digits/cpu-ubuntu22.04-py3.10": "ubuntu-22.04",
        "digits/cpu-ubuntu22.04-py3.11": "ubuntu-22.04",
        "digits/cpu-debian12-py3.11": "debian-12",
        "digits/cu118-ubuntu22.04-py3.10": "cuda-11.8-ubuntu-22.04",
        "digits/cu118-ubuntu22.04-py3.11": "cuda-11.8-ubuntu-22.04",
        "digits/cu118-debian12-py3.11": "debian-12",
    }


def test_a_variant_carries_the_aliases_that_point_to_it(two: Project) -> None:
    assert {variant.id: variant.aliases for variant in two.variants if variant.aliases} == {
        "digits/cpu-ubuntu22.04-py3.11": ("1.2-cpu",),
        "digits/cu118-ubuntu22.04-py3.11": ("latest-cu118",),
        "words/cpu-ubuntu22.04-py3.11": ("0.3-cpu",),
    }


def test_axes_of_ones_own_stand_in_the_tag() -> None:
    variants = load_project(PROJECTS / "good-aliases").variants
    assert variants[0].tag == "1.0.0-cpu-debian12-py3.11-slim"
    assert variants[0].aliases == ("latest-debian-12-slim",)


def test_an_alias_knows_the_parts_of_a_version() -> None:
    assert expand_alias("{version}_{major}_{minor}", release_values("2")) == "2_2_0"
