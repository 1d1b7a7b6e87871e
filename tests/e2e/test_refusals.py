"""What does not leave the engine: images that were not smoked, or not as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

NOWHERE = "127.0.0.1:1"


def test_an_image_that_was_built_and_not_smoked_is_not_pushed(tiny: Project) -> None:
    slug = "tiny/cpu-py3.11-debian12"
    tiny.must("build", slug)
    tiny.must("smoke", slug)
    assert slug in tiny.must("push", slug, "--dry-run").out
    tiny.edit("recipes/tiny.yaml", "program: program", "program: program\nenv: {LEVEL: high}")
    tiny.must("render")
    unbuilt = tiny.run("push", slug, "--registry", NOWHERE)
    assert unbuilt.status == 1
    assert f"{slug} is not built (changed: Dockerfile)" in unbuilt.err
    tiny.must("build", slug)
    unsmoked = tiny.run("push", slug, "--registry", NOWHERE)
    assert unsmoked.status == 1
    assert unsmoked.err.endswith(
        f"error: only what was smoked is pushed: {slug} was not smoked\n"
        "hint: run `twinforge build` and `twinforge smoke`\n"
    )
    assert not (tiny.root / "releases").exists()


def test_a_recipe_without_checks_is_built_and_does_not_pass(tiny: Project) -> None:
    tiny.must("build", "other")
    smoked = tiny.run("smoke", "other")
    assert smoked.status == 1
    assert "the recipe declares no smoke" in smoked.said
    assert "error: 1 of 1 images did not pass\n" in smoked.err
    refused = tiny.run("push", "other", "--registry", NOWHERE)
    assert refused.status == 1
    assert "other/cpu-py3.11-debian12 did not pass its smoke checks" in refused.err


def test_an_image_that_is_not_built_is_not_smoked(tiny: Project) -> None:
    refused = tiny.run("smoke", "tiny")
    assert refused.status == 1
    assert "2 of 2 variants are not built" in refused.err
    assert "hint: run `twinforge build`\n" in refused.err
