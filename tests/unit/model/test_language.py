"""What ``good-language`` comes to: all of the matrix language in one little project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import UsageError
from twinforge.model.groups import group_variants, groups_of
from twinforge.model.load import load_project
from twinforge.model.recipe import AptPackage, Package, Twin
from twinforge.model.select import select_variants

if TYPE_CHECKING:
    from twinforge.model.project import Project
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

PROJECTS = Path(__file__).parents[2] / "projects"


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECTS / "good-language")


def variant(project: Project, name: str) -> Variant:
    return next(one for one in project.variants if one.id == name)


def names(recipe: Recipe) -> list[str]:
    return [
        str(one.requirement) if isinstance(one, Package) else "/".join(one.names.values())
        for one in recipe.packages
    ]


def test_included_variants_follow_those_of_the_axes_recipe_by_recipe(project: Project) -> None:
    assert [one.id for one in project.variants] == [
        "small/cpu-debian12-py3.11-slim",
        "small/cpu-debian12-py3.11-full",
        "small/cpu-debian12-py3.13-slim",
        "small/cpu-debian12-py3.13-full",
        "smaller/cpu-debian12-py3.11-slim",
        "smaller/cu118-debian12-py3.11-slim",
        "smaller/cu129-debian12-py3.11-slim",
        "tiny/cpu-debian12-py3.11",
        "tiny/cpu-debian12-py3.12",
        "tiny/cu118-debian12-py3.11",
        "tiny/cu129-debian12-py3.11",
        "tiny/cu129-debian12-py3.12",
        "tiny/cu118-debian13-py3.10",
    ]


def test_an_excluded_cell_tells_the_rule(project: Project) -> None:
    assert {cell.id: str(cell.place) for cell in project.excluded} == {
        "small/cu118-debian12-py3.11-slim": "matrix.yaml:18:5",
        "small/cu118-debian12-py3.11-full": "matrix.yaml:18:5",
        "small/cu129-debian12-py3.11-slim": "matrix.yaml:18:5",
        "small/cu129-debian12-py3.11-full": "matrix.yaml:18:5",
        "tiny/cu118-debian12-py3.12": "matrix.yaml:17:5",
    }


def test_derived_values_follow_and_stand_in_no_name(project: Project) -> None:
    assert {one.id: one.derived for one in project.variants if one.recipe == "tiny"} == {
        "tiny/cpu-debian12-py3.11": (("cuda_line", "none"), ("rung", "first")),
        "tiny/cpu-debian12-py3.12": (("cuda_line", "none"), ("rung", "later")),
        "tiny/cu118-debian12-py3.11": (("cuda_line", "old"), ("rung", "later")),
        "tiny/cu129-debian12-py3.11": (("cuda_line", "new"), ("rung", "later")),
        "tiny/cu129-debian12-py3.12": (("cuda_line", "new"), ("rung", "later")),
        "tiny/cu118-debian13-py3.10": (("cuda_line", "old"), ("rung", "later")),
    }


def test_what_follows_from_an_axis_is_only_where_that_is(project: Project) -> None:
    slim, full = (variant(project, f"small/cpu-debian12-py3.11-{one}") for one in ("slim", "full"))
    assert (slim.derived[-1], full.derived[-1]) == (("weight", "light"), ("weight", "heavy"))
    assert [one.id for one in select_variants(project, ["weight=heavy"])] == [
        "small/cpu-debian12-py3.11-full",
        "small/cpu-debian12-py3.13-full",
    ]


def test_derived_values_do_not_part_siblings(project: Project) -> None:
    cpu = variant(project, "tiny/cpu-debian12-py3.11")
    cuda = variant(project, "tiny/cu129-debian12-py3.11")
    assert cpu.siblings_key == cuda.siblings_key


def test_an_alias_names_a_derived_value(project: Project) -> None:
    aliased = {one.id: one.aliases for one in project.variants if one.aliases}
    assert aliased == {"tiny/cu129-debian12-py3.11": ("latest-new",)}


def test_an_heir_has_what_it_does_not_say_itself(project: Project) -> None:
    small = project.recipe("small")
    assert (small.version, small.description, small.program) == ("1.0.0", "The parent.", "program")
    assert small.steps == ("true", "false")
    assert small.env == {"A": "1", "B": "2"}
    assert small.indexes == ("https://wheels.example.org/simple",)
    assert small.parity_exempt == {"numpy": "as old"}
    assert small.smoke.startup_s == 60
    assert small.smoke.train
    assert small.smoke.train.hyperparameters == {"eta": "0.30"}
    assert str(small.place) == "recipes/small.yaml:1:9"


def test_an_heir_s_packages_replace_their_namesakes_and_twins(project: Project) -> None:
    small = project.recipe("small")
    assert names(small) == ["numpy", "pandas<3", "scipy", "faiss-cpu==1.0"]
    assert [str(one) for one in small.system.every] == ["libgomp1=12", "curl", "libnuma1=2"]
    assert small.system.cuda == ()
    # named once more, and now for every variant
    assert project.recipe("tiny").system.cuda == (AptPackage("libnuma1"),)


def test_heirs_of_heirs_have_the_axes_of_both(project: Project) -> None:
    smaller = project.recipe("smaller")
    assert [(axis.name, axis.values) for axis in smaller.axes] == [
        ("python", ("3.11",)),
        ("flavor", ("slim",)),
    ]
    assert smaller.version == "2.0.0"


def test_a_variant_s_recipe_has_its_overrides_the_last_one_winning(project: Project) -> None:
    def env(name: str) -> dict[str, str]:
        return dict(project.recipe_for(variant(project, name)).env)

    assert env("tiny/cpu-debian12-py3.12") == {"A": "1", "B": "0.10"}
    assert env("tiny/cu129-debian12-py3.11") == {"A": "1", "B": "0.20", "C": "yes"}
    assert env("tiny/cu129-debian12-py3.12") == {"A": "1", "B": "0.30", "C": "yes"}
    # inherited: an override comes after all that is said of every variant
    assert env("smaller/cu118-debian12-py3.11-slim") == {"A": "1", "B": "0.20", "C": "yes"}


def test_a_package_with_a_condition_is_only_there(project: Project) -> None:
    def packages(name: str) -> list[str]:
        return names(project.recipe_for(variant(project, name)))

    plain = ["numpy", "pandas", "faiss-cpu/faiss-gpu"]
    assert packages("tiny/cpu-debian12-py3.11") == plain
    assert packages("tiny/cu118-debian12-py3.11") == [*plain, "cupy-cuda11x"]
    assert packages("tiny/cu129-debian12-py3.11") == [*plain, "cupy-cuda12x"]
    assert packages("tiny/cu129-debian12-py3.12") == [*plain[1:], "cupy-cuda12x", "numpy<2"]


def test_overrides_reach_the_system_and_the_checks(project: Project) -> None:
    cell = variant(project, "tiny/cu118-debian13-py3.10")
    recipe = project.recipe_for(cell)
    assert recipe.system.every == (AptPackage("curl"), AptPackage("libgomp1"))
    assert recipe.smoke.startup_s == 30
    assert recipe.smoke.train
    assert recipe.smoke.train.hyperparameters == {"eta": "0.40"}
    assert [str(one.rule.place) for one in cell.overrides] == [
        "matrix.yaml:23:5",
        "recipes/tiny.yaml:10:7",
        "recipes/tiny.yaml:21:5",
    ]


def test_without_overrides_a_variant_s_recipe_is_the_recipe(project: Project) -> None:
    cell = variant(project, "tiny/cpu-debian12-py3.11")
    assert project.recipe_for(cell) is project.recipe("tiny")
    assert any(isinstance(one, Twin) for one in project.recipe("tiny").packages)


def test_groups_select_by_conditions_and_derived_values(project: Project) -> None:
    groups = project.matrix.groups
    assert [one.id for one in group_variants(project, groups["old"])] == [
        "smaller/cu118-debian12-py3.11-slim",
        "tiny/cu118-debian12-py3.11",
        "tiny/cu118-debian13-py3.10",
    ]
    assert groups_of(project)["small/cpu-debian12-py3.13-slim"] == ("pr", "nightly")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("flavor=full", ["small/cpu-debian12-py3.11-full", "small/cpu-debian12-py3.13-full"]),
        ("cuda_line=old,os=debian-13", ["tiny/cu118-debian13-py3.10"]),
        ("cuda=12.*,python=3.12", ["tiny/cu129-debian12-py3.12"]),
        ("kind=cuda,recipe=smaller,cudnn=8.9", ["smaller/cu118-debian12-py3.11-slim"]),
        ("tiny:old", ["tiny/cu118-debian12-py3.11", "tiny/cu118-debian13-py3.10"]),
    ],
)
def test_selectors_know_all_words(project: Project, selector: str, expected: list[str]) -> None:
    assert [one.id for one in select_variants(project, [selector])] == expected


def test_what_changed_is_a_condition_like_others(project: Project) -> None:
    def changed(revision: str) -> list[str]:
        assert revision == "HEAD~1"
        return ["tiny/cpu-debian12-py3.11", "tiny/cu129-debian12-py3.11"]

    def ids(*selectors: str) -> list[str]:
        return [one.id for one in select_variants(project, selectors, changed=changed)]

    both = ["tiny/cpu-debian12-py3.11", "tiny/cu129-debian12-py3.11"]
    assert ids("changed-since=HEAD~1") == both
    assert ids("changed-since", "HEAD~1") == both
    assert ids("changed-since=HEAD~1,accelerator=cpu") == both[:1]
    assert ids("smaller/cpu-*", "accelerator=cu1*,changed-since=HEAD~1") == [
        "smaller/cpu-debian12-py3.11-slim",
        both[1],
    ]


def test_nothing_that_changed_is_an_error_unless_that_is_the_question(project: Project) -> None:
    def nothing(revision: str) -> list[str]:
        assert revision
        return []

    selectors = ["changed-since=main"]
    with pytest.raises(UsageError) as caught:
        select_variants(project, selectors, changed=nothing)
    assert caught.value.message == "the selector 'changed-since=main' matches no variant"
    assert "has changed since then" in caught.value.hint
    assert select_variants(project, selectors, changed=nothing, may_be_unchanged=True) == ()
    for none in (["changed-since"], ["changed-since="], ["accelerator=cpu,changed-since="]):
        with pytest.raises(UsageError, match="needs a revision of git"):
            select_variants(project, ["tiny", *none], changed=nothing)
    with pytest.raises(UsageError, match="can't be answered here"):
        select_variants(project, selectors)
