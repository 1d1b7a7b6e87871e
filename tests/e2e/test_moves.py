"""An archive moves on: what was locked is not there any more, and the build says so and goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

VARIANT = "tiny/cpu-py3.11-debian12"
LOCK = "images/tiny/lock.json"
BASES = "images/bases.lock.json"
NO_BASE = f"sha256:{'0' * 64}"  # the same in every run, so that the cache learns what it leads to


@pytest.fixture
def tiny(tiny: Project) -> Project:
    """Lock anew: what the committed lock names may have moved since, too."""
    tiny.must("lock", "--upgrade")
    tiny.must("render")
    return tiny


def key_of(project: Project) -> str:
    (node,) = project.json("plan", VARIANT)
    return str(node["key"])


def locked_pin(project: Project) -> str:
    variants = json.loads(project.read(LOCK))["variants"]
    (found,) = (one for one in variants if one["slug"] == VARIANT.partition("/")[2])
    return str(found["apt"]["libgomp1"]["version"])


def test_a_package_that_the_archive_dropped_is_followed_and_told(tiny: Project) -> None:
    pin = locked_pin(tiny)
    tiny.edit(LOCK, f'"version": "{pin}"', '"version": "1.2.3"')
    tiny.edit(LOCK, f"/libgomp1_{pin.replace('+', '%2b')}_", "/libgomp1_1.2.3_")
    tiny.must("render")
    planned = key_of(tiny)
    built = tiny.must("build", VARIANT)
    told = f"packages moved since the lock: libgomp1 1.2.3 -> {pin}"
    assert f"build {VARIANT}: note: {told}\n" in built.err
    assert "failed" not in built.err
    assert key_of(tiny) != planned
    assert "nothing changed" in tiny.must("build", VARIANT).out

    refused = tiny.run("build", "--locked", VARIANT)
    assert refused.status == 6
    assert told in refused.out
    assert refused.err.endswith("hint: run `twinforge lock tiny` and commit the result\n")
    assert "nothing changed" in tiny.must("build", VARIANT).out  # that refusal forgot nothing

    tiny.must("lock", "tiny")
    assert locked_pin(tiny) == pin


def test_a_base_that_can_not_be_made_again_is_followed_and_told(tiny: Project) -> None:
    base = json.loads(tiny.read(BASES))["bases"]["debian-12"]
    apt = base["packages"]["apt"]
    tiny.edit(BASES, base["digest"], NO_BASE)
    tiny.edit(BASES, f'"apt": "{apt}"', '"apt": "0.1"')
    planned = key_of(tiny)
    built = tiny.must("build", VARIANT)
    told = f"packages moved since the lock: apt 0.1 -> {apt}"
    assert f"base debian-12: note: {told}" in built.err
    assert key_of(tiny) != planned
    assert "nothing changed" in tiny.must("build", VARIANT).out

    refused = tiny.run("build", "--locked", VARIANT)
    assert refused.status == 6
    assert f"error: the base 'debian-12' can't be made as locked: {told}" in refused.err
    assert "hint: run `twinforge lock --upgrade`" in refused.err
