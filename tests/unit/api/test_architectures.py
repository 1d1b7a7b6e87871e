"""A matrix with an axis of CPU architectures, from its variants to what builds and serves them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.api.asking import cells_of
from twinforge.api.building import BuildOptions, build_specs, dry_run
from twinforge.api.compatibility import check_compatibility
from twinforge.api.inputs import Inputs
from twinforge.api.workspace import Workspace
from twinforge.build.bakefile import bake_file

if TYPE_CHECKING:
    from twinforge.model.variant import Variant

PROJECT = Path(__file__).parents[2] / "golden" / "projects" / "graviton"
CPU, ARM, CUDA = (
    f"words/{name}"
    for name in (
        "cpu-ubuntu24.04-py3.12-amd64",
        "cpu-ubuntu24.04-py3.12-arm64",
        "cu129-ubuntu24.04-py3.12-amd64",
    )
)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    root = tmp_path / "project"
    shutil.copytree(PROJECT, root)
    monkeypatch.setattr(Workspace, "has_engine", property(lambda _: False))
    return Workspace(root, {"HOME": "/h"}, tmp_path / "engine", tmp_path / "cache")


def by_id(workspace: Workspace) -> dict[str, Variant]:
    return {variant.id: variant for variant in workspace.project.variants}


def test_the_axis_is_part_of_the_name_and_says_for_which_cpu_it_is(workspace: Workspace) -> None:
    platforms = {name: variant.platform for name, variant in by_id(workspace).items()}
    assert platforms == {CPU: "linux/amd64", ARM: "linux/arm64", CUDA: "linux/amd64"}


def test_each_is_built_for_its_cpu_with_a_uv_that_runs_there(workspace: Workspace) -> None:
    commands = {
        node.variant.id: command
        for node, command in dry_run(workspace, workspace.project.variants, BuildOptions())
    }
    assert list(commands) == [CPU, ARM, CUDA]
    assert "--platform linux/amd64" in commands[CPU]
    assert "--platform linux/arm64" in commands[ARM]
    contexts = {
        spec.name: spec.contexts["uv"]
        for spec in build_specs(workspace, workspace.project.variants)
    }
    assert contexts[ARM] == f"{contexts[CPU]}-arm64"


def test_bake_builds_it_for_its_cpu_too(workspace: Workspace) -> None:
    targets = bake_file(build_specs(workspace, workspace.project.variants))["target"]
    assert isinstance(targets, dict)
    assert [target["platforms"] for target in targets.values()] == [
        ["linux/amd64"],
        ["linux/arm64"],
        ["linux/amd64"],
    ]


def test_the_cpu_is_part_of_the_content(workspace: Workspace) -> None:
    inputs = Inputs(workspace, workspace.project.variants)
    assert inputs.keys()[ARM].parts["arch"] != ""
    assert "arch" not in inputs.keys()[CPU].parts


def test_both_have_the_same_versions_and_wheels_of_their_own(workspace: Workspace) -> None:
    lock = workspace.lock_of("words")
    assert lock is not None
    amd64, arm64 = (lock.variant(name.partition("/")[2]).wheels for name in (CPU, ARM))
    assert [one.version for one in amd64] == [one.version for one in arm64]
    assert all("x86_64" in one.filename for one in amd64)
    assert all("aarch64" in one.filename for one in arm64)


def test_graviton_is_asked_about_the_variant_for_it(workspace: Workspace) -> None:
    day = date(2026, 11, 29)
    variants = by_id(workspace)
    [cell] = cells_of(workspace, variants[ARM], day)
    assert (cell.question.cpu_arch, cell.question.instances) == ("arm64", ("ml.c7g.xlarge",))
    found = check_compatibility(workspace, day)
    assert (found.problems, found.warnings) == ((), ())
    # what is for another CPU is told, with the line of `serves`
    matrix = workspace.root / "matrix.yaml"
    text = matrix.read_text("utf-8")
    matrix.write_text(text.replace("{arch: arm64}", "{accelerator: cpu}"), "utf-8")
    [problem] = check_compatibility(replace(workspace), day).problems
    assert str(problem).startswith(
        f"matrix.yaml:16:5: {CPU} on ml.c7g.xlarge (hosting): can't work: ml.c7g.xlarge is arm64 ("
    )
    asked = "asked for: ml.c7g.xlarge (matrix.yaml:16:5), the architecture amd64 (matrix.yaml:11:3)"
    assert asked in str(problem)
