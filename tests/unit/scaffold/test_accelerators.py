"""A recipe that joins a project is for what its matrix has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from twinforge.api.scaffolding import plan_new, write_new
from twinforge.errors import ProjectError, UsageError
from twinforge.model.load import load_project
from twinforge.scaffold.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = """
bases: {{debian-12: {{bootstrap: bookworm, packages: [ca-certificates, python3]}}}}
accelerators: {{{accelerators}}}
axes: {{accelerator: [{axis}], python: ["3.11"], os: [debian-12]}}
"""
CPU, CU128, CU129 = "cpu: {}", 'cu128: {cuda: "12.8"}', 'cu129: {cuda: "12.9"}'


def add(root: Path, framework: str, name: str = "irises") -> dict[str, Any]:
    """Write a recipe, see that the project is right with it, and return what was written."""
    recipe = plan_new(root, name, framework=framework, style="program")
    write_new(root, recipe.files)
    load_project(root)
    document = yaml.safe_load((root / f"recipes/{name}.yaml").read_text())
    assert isinstance(document, dict)
    return document


def matrix(root: Path, *accelerators: str, axis: str) -> None:
    text = MATRIX.format(accelerators=", ".join(accelerators), axis=axis)
    (root / "matrix.yaml").write_text(text)


@pytest.mark.parametrize("first", FRAMEWORKS)
def test_every_framework_joins_the_project_of_every_other(tmp_path: Path, first: str) -> None:
    add(tmp_path, first, "first")
    for second in FRAMEWORKS:
        add(tmp_path, second, f"{second}-second")


def test_a_project_for_cpus_gets_a_recipe_for_cpus_that_says_what_gpus_want(tmp_path: Path) -> None:
    matrix(tmp_path, CPU, axis="cpu")
    recipe = add(tmp_path, "torch")
    assert recipe["axes"] == {"accelerator": ["cpu"]}
    packages = [one["package"] for one in recipe["python"]["packages"] if isinstance(one, dict)]
    assert packages == ["torch==2.10.0+cpu"]
    assert "parity" not in recipe
    text = (tmp_path / "recipes/irises.yaml").read_text()
    assert "accelerator: [cpu]} # GPUs want an accelerator of CUDA 12.8 in the matrix" in text
    assert "shelved" not in text


def test_only_the_accelerators_with_the_framework_s_own_cuda_are_taken(tmp_path: Path) -> None:
    pinned = 'pinned: {cuda: "12.8", cudnn: "9.1"}'
    apt = 'apt: {cuda: "12.8", packages: [cuda-cudart-12-8]}'
    libraries = 'libs: {cuda: "12.8", libraries: [cublas]}'
    matrix(tmp_path, CPU, CU128, CU129, pinned, apt, libraries, axis="cpu, cu128, cu129")
    recipe = add(tmp_path, "torch")
    assert recipe["axes"] == {"accelerator": ["cpu", "cu128"]}
    assert len(recipe["python"]["packages"]) == 4
    assert add(tmp_path, "sklearn", "other")["axes"] == {"accelerator": ["cpu"]}


def test_accelerators_that_are_the_whole_axis_are_not_repeated(tmp_path: Path) -> None:
    matrix(tmp_path, CPU, CU129, CU128, axis="cpu, cu129")
    assert "axes" not in add(tmp_path, "xgboost")


def test_a_project_for_gpus_alone_is_told_to_try_on_one(tmp_path: Path) -> None:
    matrix(tmp_path, CU128, axis="cu128")
    recipe = plan_new(tmp_path, "irises", framework="torch", style="program")
    assert "--instance ml.g4dn.xlarge " in recipe.following[-1]
    assert recipe.notes == ()
    document = add(tmp_path, "torch")
    packages = [one["package"] for one in document["python"]["packages"] if isinstance(one, dict)]
    assert packages == ["torch==2.10.0"]


@pytest.mark.parametrize(
    ("framework", "missing"),
    [("torch", "there is no CPU and none of CUDA 12.8"), ("sklearn", "there is no CPU")],
)
def test_a_project_without_an_accelerator_for_it_is_an_error(
    tmp_path: Path, framework: str, missing: str
) -> None:
    matrix(tmp_path, CU129, axis="cu129")
    with pytest.raises(UsageError, match=missing) as caught:
        plan_new(tmp_path, "irises", framework=framework, style="program")
    assert caught.value.hint == "add `cpu: {}` to its accelerators"


def test_a_matrix_that_is_wrong_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text("not: [yaml")
    with pytest.raises(ProjectError):
        plan_new(tmp_path, "irises", framework="none", style="program")


def test_a_recipe_that_is_wrong_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    add(tmp_path, "none", "first")
    (tmp_path / "recipes/first.yaml").write_text("not: [yaml")
    recipe = plan_new(tmp_path, "irises", framework="none", style="program")
    assert recipe.files[0].path == "recipes/irises.yaml"


def test_a_project_in_another_one_is_told(tmp_path: Path) -> None:
    matrix(tmp_path, CPU, axis="cpu")
    recipe = plan_new(tmp_path / "recipes", "irises", framework="none", style="program")
    assert recipe.notes == (
        f"this is a project of its own, with a matrix.yaml beside that of {tmp_path}",
    )
