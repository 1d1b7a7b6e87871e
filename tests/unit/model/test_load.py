from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import ProjectError
from twinforge.model.load import load_project
from twinforge.model.matrix import Bootstrap
from twinforge.model.recipe import AptPackage, Package, Twin
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from twinforge.model.project import Project

ROOT = Path(__file__).parents[3]
PROJECTS = ROOT / "tests/projects"


@pytest.fixture(scope="module")
def two() -> Project:
    return load_project(PROJECTS / "good-two-recipes")


def test_the_shipped_project_has_no_problem() -> None:
    project = load_project(ROOT)
    assert [variant.id for variant in project.variants if variant.recipe == "digits"] == [
        "digits/cpu-py3.11-debian12",
        "digits/cu129-py3.11-debian12",
    ]


def test_scalars_of_env_and_hyperparameters_stay_as_they_are_written(two: Project) -> None:
    digits = two.recipe("digits")
    assert digits.env == {
        "OMP_NUM_THREADS": "1",
        "RATIO": "0.10",
        "LEADING": "007",
        "SWITCH": "on",
    }
    assert digits.smoke.train
    assert digits.smoke.train.hyperparameters == {"max_depth": "4", "eta": "0.30", "verbose": "yes"}


def test_packages_keep_their_order_and_know_their_line(two: Project) -> None:
    packages = two.recipe("digits").packages
    assert [str(p.requirement) for p in packages if isinstance(p, Package)] == [
        "numpy",
        "scikit-learn>=1.5",
    ]
    twin = packages[2]
    assert isinstance(twin, Twin)
    assert list(twin.names.items()) == [("cpu", "xgboost-cpu"), ("cuda", "xgboost")]
    assert twin.version == "==3.0.5"
    assert str(twin.place) == "recipes/digits.yaml:8:7"


def test_names_of_exempt_packages_are_normalised(two: Project) -> None:
    assert list(two.recipe("digits").parity_exempt) == ["some-thing"]


def test_apt_packages_are_split_at_their_version(two: Project) -> None:
    assert two.recipe("digits").system.every == (
        AptPackage("libgomp1"),
        AptPackage("libfoo", "1:2.0-3~bpo12+1"),
    )


def test_a_step_keeps_its_lines(two: Project) -> None:
    assert two.recipe("digits").steps == ("set -e\necho one\n",)


def test_a_recipe_without_smoke_has_defaults(two: Project) -> None:
    smoke = two.recipe("words").smoke
    assert (smoke.train, smoke.invocations, smoke.startup_s) == (None, (), 480)


def test_invocations_are_complete(two: Project) -> None:
    first, second = two.recipe("digits").smoke.invocations
    assert (first.status, first.accept, first.json) == (200, "application/json", {"/0": 7})
    assert (second.accept, second.accuracy) == ("", 0.9)


def test_a_base_is_a_reference_or_a_bootstrap(two: Project) -> None:
    debian, ubuntu, cuda = two.matrix.bases
    assert debian.source == Bootstrap(
        "bookworm",
        "20260101T000000Z",
        (AptPackage("ca-certificates"), AptPackage("python3", "3.11.2-1+b1")),
    )
    assert ubuntu.source == Reference("", "ubuntu", "22.04")
    assert (cuda.os, cuda.cuda) == ("ubuntu-22.04", "11.8")


def test_a_registry_outside_aws_is_not_scanned(two: Project) -> None:
    registry = two.matrix.registry
    assert registry
    assert (registry.kind, registry.host) == ("oci", "registry.example.com:5000")
    assert not registry.scan_on_push


def test_an_unknown_recipe_is_a_key_error(two: Project) -> None:
    with pytest.raises(KeyError):
        two.recipe("nothing")


def test_a_yaml_alias_is_the_same_value_again() -> None:
    first, second = load_project(PROJECTS / "good-aliases").matrix.bases
    assert isinstance(first.source, Bootstrap)
    assert isinstance(second.source, Bootstrap)
    assert first.source.packages == second.source.packages != ()


@pytest.mark.parametrize("name", ["recipes/pipe.yaml", "row.csv"])
def test_a_pipe_is_no_file_and_nobody_waits_for_what_comes_out_of_it(
    tmp_path: Path, name: str
) -> None:
    root = shutil.copytree(PROJECTS / "good-minimal", tmp_path / "project")
    os.mkfifo(root / name)
    with (root / "recipes/tiny.yaml").open("a") as recipe:
        recipe.write("smoke: {invocations: [{content_type: text/csv, body: row.csv}]}\n")
    with pytest.raises(ProjectError, match=f"'{name}' is not a file"):
        load_project(root)


def test_a_number_of_any_length_is_shown_on_one_short_line(tmp_path: Path) -> None:
    root = shutil.copytree(PROJECTS / "good-minimal", tmp_path / "project")
    (root / "recipes/tiny.yaml").write_text(f"recipe: tiny\nversion: {'9' * 5000}\n")
    with pytest.raises(ProjectError) as caught:
        load_project(root)
    assert max(len(str(problem)) for problem in caught.value.problems) < 300
