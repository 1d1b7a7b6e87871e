from __future__ import annotations

import csv
import io
import json
import re
import runpy
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twinforge.api.scaffolding import plan_new
from twinforge.errors import UsageError
from twinforge.runtime.machine import Machine
from twinforge.runtime.settings import read_settings
from twinforge.scaffold.accelerators import new_accelerators
from twinforge.scaffold.files import check_name, matrix_files, recipe_files
from twinforge.scaffold.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.scaffold.files import NewFile, Style

STYLES: tuple[Style, ...] = ("program", "runtime")


def new_files(name: str, framework: str, style: Style = "program") -> tuple[NewFile, ...]:
    """Return the files of a recipe in a project that is written for it."""
    chosen = FRAMEWORKS[framework]
    return recipe_files(name, chosen, style, new_accelerators(chosen))


def by_path(files: tuple[NewFile, ...]) -> dict[str, bytes]:
    return {file.path: file.content for file in files}


def test_a_program_has_its_two_programs_and_only_these_are_executable() -> None:
    files = new_files("irises", "sklearn")
    executable = {file.path for file in files if file.is_executable}
    assert executable == {"images/irises/program/train", "images/irises/program/serve"}


def test_the_runtime_has_a_predictor_and_a_trainer_and_no_programs() -> None:
    files = by_path(new_files("irises", "sklearn", "runtime"))
    assert {"images/irises/program/predictor.py", "images/irises/program/trainer.py"} <= set(files)
    assert "images/irises/program/train" not in files
    recipe = yaml.safe_load(files["recipes/irises.yaml"])
    assert recipe["runtime"] == {
        "predictor": "images/irises/program/predictor.py",
        "trainer": "images/irises/program/trainer.py",
    }
    assert "gunicorn" not in recipe["python"]["packages"]


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_what_uses_every_cpu_is_served_by_one_process_in_both_styles(framework: str) -> None:
    own = by_path(new_files("irises", framework))
    read = re.compile(rb'workers = .*environ\.get\("(\w+)"\)')
    (name,) = read.findall(own["images/irises/program/gunicorn.conf.py"])
    assert yaml.safe_load(own["recipes/irises.yaml"])["env"][name.decode()] == "1"
    env = yaml.safe_load(by_path(new_files("irises", framework, "runtime"))["recipes/irises.yaml"])
    assert (
        read_settings(env["env"], Machine(cores=8, memory_bytes=0, gpus=0, full_cores=8)).workers
        == 1
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_placeholder_stays(framework: str, style: Style) -> None:
    for file in (*new_files("irises", framework, style), *matrix_files(FRAMEWORKS[framework])):
        assert b"<<" not in file.content, file.path
        assert b">>" not in file.content, file.path


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_python_file_is_python(framework: str, style: Style) -> None:
    for file in new_files("irises", framework, style):
        if file.path.endswith((".py", "/train")):
            compile(file.content, file.path, "exec", dont_inherit=True)


def test_the_data_is_fisher_s_iris_and_what_is_asked_was_not_learned() -> None:
    files = by_path(new_files("irises", "none"))
    learned = files["images/irises/smoke/training/iris.csv"].decode()
    header, *rows = csv.reader(io.StringIO(learned))
    assert header == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    asked = files["images/irises/smoke/flowers.csv"].decode().splitlines()
    labels = json.loads(files["images/irises/smoke/labels.json"])
    assert (len(rows), len(asked), len(labels)) == (120, 30, 30)
    everything = [*labels, *(int(row[-1]) for row in rows)]
    assert [everything.count(species) for species in (0, 1, 2)] == [50, 50, 50]


@pytest.mark.parametrize("name", ["1.0", "on", "null", "1e3", "yes"])
def test_a_name_that_yaml_takes_for_something_else_stays_text(name: str) -> None:
    files = by_path(new_files(name, "none"))
    assert yaml.safe_load(files[f"recipes/{name}.yaml"])["recipe"] == name


@pytest.mark.parametrize(
    "name",
    ["", "Iris", "two words", "../up", "a/b", "a--b", ".hidden", "x;y", "é", "a\n", "<<name>>"],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a recipe"):
        check_name(name)


def test_a_name_is_no_longer_than_sagemaker_s_names() -> None:
    check_name("a" * 63)
    with pytest.raises(UsageError, match="has 64 characters, at most 63"):
        check_name("a" * 64)


@given(st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)*", fullmatch=True).filter(lambda n: len(n) < 64))
def test_whatever_the_name_is_the_files_are_those_of_another_with_it_in_them(name: str) -> None:
    ours = new_files(name, "none")
    other = new_files("x-0", "none")
    assert len(ours) == len(other)
    recipe = yaml.safe_load(ours[0].content)
    assert recipe["recipe"] == name
    assert recipe["program"] == f"images/{name}/program"
    for mine, theirs in zip(ours, other, strict=True):
        if mine.path.endswith((".py", "/train")):
            assert mine.content == theirs.content.replace(b"x-0", name.encode())


def test_a_matrix_is_written_where_there_is_none(tmp_path: Path) -> None:
    new = by_path(plan_new(tmp_path, "irises", framework="xgboost", style="program").files)
    matrix = yaml.safe_load(new["matrix.yaml"])
    assert matrix["accelerators"] == {"cpu": {}, "cu129": {"cuda": "12.9"}}
    assert matrix["axes"]["accelerator"] == ["cpu", "cu129"]
    assert b"/.twinforge/" in new[".gitignore"]
    (tmp_path / "matrix.yaml").write_bytes(new["matrix.yaml"])
    again = by_path(plan_new(tmp_path, "irises", framework="xgboost", style="program").files)
    assert set(new) - set(again) == {"matrix.yaml", ".gitignore"}


def test_without_a_build_for_gpus_there_is_no_accelerator_for_them(tmp_path: Path) -> None:
    new = by_path(plan_new(tmp_path, "irises", framework="sklearn", style="program").files)
    assert yaml.safe_load(new["matrix.yaml"])["accelerators"] == {"cpu": {}}


def test_a_gitignore_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n")
    new = by_path(plan_new(tmp_path, "irises", framework="none", style="program").files)
    assert "matrix.yaml" in new
    assert ".gitignore" not in new


def test_a_misspelt_framework_is_answered_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no framework 'kears'; did you mean 'keras'"):
        plan_new(tmp_path, "irises", framework="kears", style="program")


def test_the_simplest_model_tells_flowers_apart_that_it_has_not_seen(tmp_path: Path) -> None:
    for file in new_files("irises", "none"):
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    code, smoke = tmp_path / "images/irises/program", tmp_path / "images/irises/smoke"
    rows, learning = (runpy.run_path(str(code / f"{name}.py")) for name in ("rows", "learning"))
    model = learning["learn"](*rows["read_labelled"](smoke / "training"), {"neighbours": 5})
    learning["save"](model, tmp_path)
    asked = rows["parse_csv"]((smoke / "flowers.csv").read_text())
    found = learning["predict"](learning["load"](tmp_path), asked)
    labels = json.loads((smoke / "labels.json").read_text())
    assert sum(one == label for one, label in zip(found, labels, strict=True)) >= 27
