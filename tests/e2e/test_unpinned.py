"""A base of a registry that does not answer: not pinned, explained, and no reason to stop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge import process

if TYPE_CHECKING:
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

VARIANT = "tiny/cpu-py3.10-ubuntu22.04"
IMAGE = "127.0.0.1:1/ubuntu:22.04"  # nothing listens there
NOT_PINNED = f"not pinned: no registry answered for '{IMAGE}'"
BOOTSTRAPPED = """  debian-12:
    bootstrap: bookworm
    components: [main, non-free]
    packages: [ca-certificates, python3]
"""


@pytest.fixture
def on_ubuntu(tiny: Project) -> Project:
    tiny.edit("matrix.yaml", BOOTSTRAPPED, f'  ubuntu-22.04: {{image: "{IMAGE}"}}\n')
    tiny.edit("matrix.yaml", "os: [debian-12]", "os: [ubuntu-22.04]")
    tiny.edit("matrix.yaml", 'python: ["3.11"]', 'python: ["3.10"]')
    return tiny


def test_a_base_whose_registry_does_not_answer_is_locked_without_a_digest(
    on_ubuntu: Project,
) -> None:
    locked = on_ubuntu.must("lock", "tiny")
    assert f"base ubuntu-22.04: note: {NOT_PINNED}: " in locked.err
    assert f"lock {VARIANT}: note: the Debian packages are not pinned: pulling '{IMAGE}': " in (
        locked.err
    )
    base = json.loads(on_ubuntu.read("images/bases.lock.json"))["bases"]["ubuntu-22.04"]
    assert (base["digest"], base["reason"]) == ("", NOT_PINNED.removeprefix("not pinned: "))
    on_ubuntu.must("lock", "--check", "tiny")
    on_ubuntu.must("render", "--check", "tiny")

    folder = f"images/{VARIANT.replace('/', '/variants/')}"
    assert f"FROM {IMAGE} AS base\n" in on_ubuntu.read(f"{folder}/Dockerfile")
    hadolint = Path(sys.executable).with_name("hadolint")
    process.run([str(hadolint), str(on_ubuntu.root / folder / "Dockerfile")])

    (node, _) = on_ubuntu.json("plan", "tiny")
    assert (node["variant"], node["status"]) == (VARIANT, "new")


def test_a_build_on_an_image_that_can_not_be_had_names_the_line_and_the_image(
    on_ubuntu: Project,
) -> None:
    on_ubuntu.must("lock", "tiny")
    built = on_ubuntu.run("build", VARIANT)
    assert built.status == 1
    assert f"images/{VARIANT.replace('/', '/variants/')}/Dockerfile:3" in built.out
    assert IMAGE in built.out
