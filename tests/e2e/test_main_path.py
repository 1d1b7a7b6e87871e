"""From a changed recipe to smoked images: the verbs in the order in which a user calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Built, Rendered, Twice
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

VARIANTS = ["digits/cpu-py3.11-debian12", "digits/cu129-py3.11-debian12"]


def test_a_checked_project_says_how_many_variants_it_has(rendered: Rendered) -> None:
    assert rendered.check.status == 0
    assert rendered.check.out.endswith(" variants: all right\n")


def test_a_new_version_leaves_the_lock_valid(rendered: Rendered) -> None:
    assert rendered.lock_check.status == 0, rendered.lock_check.said


def test_files_that_do_not_follow_from_the_recipe_any_more_are_shown_as_a_diff(
    rendered: Rendered, version: str
) -> None:
    assert rendered.stale.status == 6
    folder = "images/digits/variants/cpu-py3.11-debian12"
    assert f"--- committed/{folder}/Dockerfile\n+++ rendered/{folder}/Dockerfile\n" in (
        rendered.stale.err
    )
    assert f'+      org.opencontainers.image.version="{version}"\n' in rendered.stale.err
    assert "hint: run `twinforge render` and commit the result\n" in rendered.stale.err


def test_rendering_writes_just_what_differs(rendered: Rendered) -> None:
    assert rendered.render.status == 0
    assert rendered.render.out.splitlines() == [
        f"wrote images/digits/variants/{slug}-py3.11-debian12/{name}"
        for slug in ("cpu", "cu129")
        for name in ("Dockerfile", "variant.json")
    ]
    assert rendered.render_check.status == 0


def test_a_build_makes_both_images_and_ends_with_a_table(built: Built, version: str) -> None:
    assert built.first.status == 0, built.first.said
    heading, *rows = built.first.out.splitlines()
    assert " ".join(heading.split()) == "VARIANT TAG IMAGE SIZE SHARED BUILD /PING SMOKE"
    assert [row.split()[:2] for row in rows] == [
        [variant, f"{version}-{variant.removeprefix('digits/')}"] for variant in VARIANTS
    ]
    assert all(row.endswith("not run") for row in rows)
    assert all(built.ids.values())


def test_a_second_build_says_that_nothing_changed_and_builds_nothing(built: Built) -> None:
    assert built.second.status == 0
    assert built.second.out.startswith("nothing changed: 2 of 2 images are up to date\n")
    assert "started" not in built.second.err
    assert (built.third.status, built.third.out) == (0, built.second.out)
    assert built.ids_after == built.ids


def test_a_plan_after_a_build_has_nothing_to_do(digits: Project, built: Built) -> None:
    plan = digits.json("plan")
    assert [node["variant"] for node in plan] == VARIANTS
    assert {node["status"] for node in plan} == {"current"}
    assert [node["image_id"] for node in plan] == list(built.ids.values())


def test_a_dry_run_after_a_build_has_nothing_to_build(digits: Project, built: Built) -> None:
    assert built.first.status == 0
    assert digits.must("build", "--dry-run").out == "nothing to build\n"


def test_both_images_train_serve_and_hold_what_is_locked(smoked: Twice) -> None:
    assert smoked.first.status == 0, smoked.first.said
    _, *rows = smoked.first.out.splitlines()
    assert [row.split()[0] for row in rows] == VARIANTS
    assert all(row.endswith("passed") for row in rows)


def test_a_second_smoke_asks_nothing_of_images_that_passed(smoked: Twice) -> None:
    assert smoked.second.status == 0
    assert "started" not in smoked.second.err
    images = json.loads(smoked.second.out)["images"]
    assert [(image["variant"], image["smoke"]) for image in images] == [
        (variant, "passed") for variant in VARIANTS
    ]
    assert all(image["ping_s"] > 0 for image in images)
