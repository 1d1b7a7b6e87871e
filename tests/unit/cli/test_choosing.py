from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twinforge.registry.releases import Release, ReleasedVariant, write_release

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/words"
TAG = "1.0.0-cpu-debian12-py3.11"
DIGEST = f"sha256:{'a' * 64}"
SELECT = ("select", "words", "--instance", "ml.m5.large")


@pytest.fixture
def released(world: World) -> World:
    variant = ReleasedVariant(
        slug="cpu-debian12-py3.11",
        version="1.0.0",
        accelerator="cpu",
        cuda="",
        key="a" * 64,
        image_id=DIGEST,
        tags=(TAG, f"key-{'a' * 16}"),
        aliases=("latest-cpu",),
        digests={REPOSITORY: DIGEST},
    )
    write_release(world.root, Release("words", (variant,)))
    return world


def test_only_the_reference_goes_to_standard_output(run: Run, released: World) -> None:
    assert released.root.is_dir()
    ran = run(*SELECT)
    assert (ran.status, ran.out) == (0, f"{REPOSITORY}:{TAG}\n")
    assert ran.err.startswith("# ml.m5.large is amd64 with no accelerator")
    assert run(*SELECT, "--digest").out == f"{REPOSITORY}@{DIGEST}\n"
    quiet = run("--quiet", *SELECT)
    assert (quiet.out, quiet.err) == (ran.out, "")


def test_a_choice_is_json_for_a_machine(run: Run, released: World) -> None:
    assert released.root.is_dir()
    ran = run(*SELECT, "--json")
    chosen = json.loads(ran.out)
    assert ran.err == ""
    assert f"{REPOSITORY}@{DIGEST}" in chosen.values()


@pytest.mark.parametrize(
    ("instance", "status"), [("ml.nonsense", 3), ("ml.p2.xlarge", 4), ("m5.large", 3)]
)
def test_what_is_not_known_and_what_is_impossible_have_their_statuses(
    run: Run, released: World, instance: str, status: int
) -> None:
    assert released.root.is_dir()
    ran = run("select", "words", "--instance", instance)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith("error: ")


def test_what_was_never_released_is_a_wrong_question(run: Run, world: World) -> None:
    assert world.root.is_dir()
    ran = run(*SELECT)
    assert ran.status == 2
    assert ran.err == (
        "error: nothing of the recipe 'words' was released\n"
        "hint: push it first: `twinforge push words`\n"
    )
