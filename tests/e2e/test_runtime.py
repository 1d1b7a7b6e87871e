"""Images of a project whose users wrote a predictor and a trainer, and programs that are no Python."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import CHECKOUT, copy_project, docker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.workbench import Done, Project

pytestmark = pytest.mark.engine

CPU, CUDA = "cpu-py3.11-debian12", "cu129-py3.11-debian12"
VARIANTS = [f"mean/{CPU}", f"mean/{CUDA}", f"node/{CPU}"]
PREDICTOR = "images/mean/program/predictor.py"


@dataclass(frozen=True, slots=True)
class Built:
    """The project, built and smoked, and how that went."""

    project: Project
    build: Done
    smoke: Done

    def layers(self, slug: str) -> list[str]:
        """The layers of the predictor's image."""
        image = self.project.image_id("mean", f"1.0.0-{slug}")
        shown = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
        layers = json.loads(shown)
        assert isinstance(layers, list)
        return layers

    def run_in(self, slug: str, *command: str) -> str:
        """What a command in the predictor's image prints, without a network."""
        image = self.project.image_id("mean", f"1.0.0-{slug}")
        return docker("run", "--rm", "--network", "none", image, *command)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("runtime") / "project"
    project = copy_project("runtime", folder, CHECKOUT / "build.py")
    project.must("lock")
    project.must("render")
    try:
        yield Built(project, project.run("build"), project.run("smoke", "--json"))
    finally:
        project.remove_images()


def test_the_runtime_and_a_program_in_javascript_pass_the_same_checks(built: Built) -> None:
    assert built.build.status == 0, built.build.said
    assert built.smoke.status == 0, built.smoke.said
    images = json.loads(built.smoke.out)["images"]
    assert [(image["variant"], image["smoke"]) for image in images] == [
        (variant, "passed") for variant in VARIANTS
    ]


def test_the_server_is_locked_with_the_recipe_that_names_none(built: Built) -> None:
    text = built.project.read(f"images/mean/variants/{CPU}/requirements.txt")
    names = [line.partition("==")[0] for line in text.splitlines() if not line.startswith("#")]
    assert names == ["click", "h11", "httptools", "uvicorn"]
    assert text.count("--hash=sha256:") == len(names)
    assert "uvicorn" not in built.project.read(f"images/node/variants/{CPU}/requirements.txt")


def test_both_programs_come_from_the_runtime_with_byte_code_of_it(built: Built) -> None:
    found = built.run_in(CPU, "sh", "-c", "command -v train; command -v serve").split()
    assert found == ["/opt/venv/bin/train", "/opt/venv/bin/serve"]
    shown = built.run_in(
        CPU,
        *("python", "-c"),
        "import twinforge.runtime.serve as s; print(s.__cached__, open(s.__cached__, 'rb').read(8)[4])",
    )
    path, flags = shown.split()
    assert path.startswith("/opt/venv/lib/python3.11/site-packages/twinforge/runtime/__pycache__/")
    assert int(flags) == 1  # by hash and not checked, so that no time is in it


def test_a_changed_predictor_changes_one_layer_and_no_other(built: Built) -> None:
    before = built.layers(CPU)
    assert before == built.layers(CUDA)
    project = built.project
    text = project.read(PREDICTOR)
    project.edit(PREDICTOR, "- context.model for", "+ context.model for")
    try:
        plan = {node["variant"]: node for node in project.json("plan", "mean/cpu-*")}
        assert plan[VARIANTS[0]]["status"] != "current"
        project.must("build", "mean/cpu-*")
        after = built.layers(CPU)
    finally:
        (project.root / PREDICTOR).write_text(text, "utf-8")
    assert [old for old in before if old not in after] == before[-1:]
    assert len(after) == len(before)


def test_an_image_says_what_the_runtime_can(built: Built) -> None:
    image = built.project.image_id("mean", f"1.0.0-{CUDA}")
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    prefix = "com.amazonaws.sagemaker.capabilities."
    assert {name.removeprefix(prefix) for name in labels if name.startswith(prefix)} == {
        "accept-bind-to-port",
        "multi-models",
    }
