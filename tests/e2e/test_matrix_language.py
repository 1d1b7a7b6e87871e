"""Overrides, heirs and bake, from the files that a user writes to what is in the images."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.workbench import docker

if TYPE_CHECKING:
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

CPU, CUDA = "tiny/cpu-py3.11-debian12", "tiny/cu129-py3.11-debian12"
OVERRIDES = """program: program
overrides:
  - when: cuda >= 12 and python < 3.12
    env: {ONLY: "here"}
    python: {packages: [tomli]}
    smoke: {startup_s: 19}
"""


def images(project: Project) -> dict[str, str]:
    """The ids of the images of the recipe ``tiny``, by variant."""
    return {node["variant"]: node["image_id"] for node in project.json("plan", "tiny")}


def config(image: str) -> Any:
    return json.loads(docker("image", "inspect", image))[0]["Config"]


def test_an_override_reaches_its_images_and_no_other(tiny: Project) -> None:
    tiny.must("build", "tiny")
    before = images(tiny)
    tiny.edit("recipes/tiny.yaml", "program: program\n", OVERRIDES)
    stale = tiny.run("build", "tiny")
    assert (stale.status, "the lock of 'tiny' is stale" in stale.err) == (6, True)
    locked = tiny.must("lock", "tiny")
    assert "  tomli: new -> " in locked.out
    plan = {node["variant"]: node["status"] for node in tiny.json("plan", "tiny")}
    assert plan == {CPU: "current", CUDA: "changed"}
    tiny.must("build", "tiny")
    after = images(tiny)
    assert after[CPU] == before[CPU]
    assert after[CUDA] != before[CUDA]
    assert "ONLY=here" in config(after[CUDA])["Env"]
    assert "ONLY=here" not in config(after[CPU])["Env"]
    tomli = [
        docker("run", "--rm", "--network=none", image, "python", "-c", FIND_TOMLI).strip()
        for image in (after[CPU], after[CUDA])
    ]
    assert tomli == ["False", "True"]
    smoked = tiny.must("smoke", "tiny")
    assert smoked.out.count("passed") == 2


FIND_TOMLI = "import importlib.util; print(importlib.util.find_spec('tomli') is not None)"


def test_bake_builds_the_same_images_as_we_do(tiny: Project) -> None:
    tiny.must("build", "tiny")
    ours = images(tiny)
    made = json.loads(tiny.must("matrix", "tiny", "--bake").out)
    tags = [tag for target in made["target"].values() for tag in target["tags"]]
    docker("image", "rm", *tags)
    (tiny.root / "bake.json").write_text(json.dumps(made))
    argv = ["docker", "buildx", "bake", "--file", "bake.json"]
    baked = subprocess.run(argv, cwd=tiny.root, capture_output=True, text=True, check=False)
    assert baked.returncode == 0, baked.stderr
    assert images(tiny) == ours
    assert all(ours.values())


def test_an_heir_is_locked_built_and_smoked_as_a_recipe(tiny: Project) -> None:
    (tiny.root / "recipes/heir.yaml").write_text(
        "recipe: heir\nextends: tiny\nenv: {HEIR: yes}\naxes: {accelerator: [cpu]}\n"
    )
    tiny.must("lock", "heir")
    tiny.must("build", "heir")
    tiny.must("smoke", "heir")
    (node,) = tiny.json("plan", "heir")
    assert node["variant"] == "heir/cpu-py3.11-debian12"
    assert "HEIR=yes" in config(node["image_id"])["Env"]
