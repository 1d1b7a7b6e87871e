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


def test_a_refusal_names_the_nearest_image_and_what_would_run(run: Run, released: World) -> None:
    assert released.root.is_dir()
    ran = run("select", "words", "--instance", "ml.c7g.large")
    assert (ran.status, ran.err) == (
        4,
        (
            "error: no variant of 'words' runs on ml.c7g.large: the nearest is 'cpu-debian12-py3.11', "
            "but ml.c7g.large is arm64, the image is amd64\n"
            "hint: an arm64 image would run there (the axis `arch` of the matrix), this is amd64; "
            "the nearest would run on ml.t2.large\n"
        ),
    )


def test_what_was_never_released_is_a_wrong_question(run: Run, world: World) -> None:
    assert world.root.is_dir()
    ran = run(*SELECT)
    assert ran.status == 2
    assert ran.err == (
        "error: nothing of the recipe 'words' was released\n"
        "hint: push it first: `twinforge push words`\n"
    )


def test_every_instance_type_has_its_line_with_the_variant_or_the_reason(
    run: Run, released: World
) -> None:
    assert released.root.is_dir()
    ran = run("select", "words", "--all")
    assert (ran.status, ran.err) == (0, "")
    (m5,) = (line for line in ran.out.splitlines() if line.startswith("ml.m5 "))
    assert m5.split()[1:3] == ["large,", "xlarge,"]
    assert m5.split()[-2:] == ["cpu-debian12-py3.11", "-"]
    (p2,) = (line for line in ran.out.splitlines() if line.startswith("ml.p2 "))
    assert "  -  " in p2
    assert "no variant of 'words' runs on ml.p2: the nearest is 'cpu-debian12-py3.11', but a" in p2
    assert "; the CPU image can be asked for by accelerator 'cpu'" in p2


def test_all_instance_types_are_json_for_a_machine(run: Run, released: World) -> None:
    assert released.root.is_dir()
    told = json.loads(run("select", "words", "--all", "--for", "training", "--json").out)
    by_instance = {one["instance"]: one for one in told}
    assert by_instance["ml.m5.large"]["pinned"] == f"{REPOSITORY}@{DIGEST}"
    assert by_instance["ml.p3.2xlarge"]["variant"] is None
    # the project declares it, and only the CPU image was pushed
    push = "'cu129-debian12-py3.11' is declared and would run there: `twinforge push words/cu129-"
    assert by_instance["ml.p3.2xlarge"]["hint"].startswith(push)
    assert "ml.t2.medium" not in by_instance  # it is for hosting only


@pytest.mark.parametrize("asked", [(), ("--all", "--instance", "ml.m5.large")])
def test_one_type_or_all_of_them_and_not_both(
    run: Run, released: World, asked: tuple[str, ...]
) -> None:
    assert released.root.is_dir()
    ran = run("select", "words", *asked)
    assert ran.status == 2
    assert "hint: give --instance TYPE or --all\n" in ran.err
