"""The verbs that work on registries: promote, registry plan and apply, iam."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fake_ecr import FakeEcr
from twinforge.registry import repositories
from twinforge.registry.releases import Release, ReleasedVariant, write_release

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

OCI = 'registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}'
NAMED = """registry:
  staging: {kind: oci, host: "registry.example.com", repository: "staging/{recipe}"}
  production:
    {kind: ecr, account: "123456789012", regions: [eu-west-1], repository: "ml/{recipe}",
     lifecycle: {keep_images: 9}, tags: {team: ml}}
"""
DIGEST = f"sha256:{'d' * 64}"


@pytest.fixture
def named(world: World) -> World:
    world.edit("matrix.yaml", OCI, NAMED)
    variant = ReleasedVariant(
        slug="cpu-debian12-py3.11",
        version="1.0.0",
        accelerator="cpu",
        cuda="",
        key="k" * 64,
        image_id=f"sha256:{'1' * 64}",
        tags=("1.0.0-cpu-debian12-py3.11",),
        aliases=("latest-cpu",),
        digests={"registry.example.com/staging/words": DIGEST},
    )
    write_release(world.root, Release("words", (variant,)))
    return world


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> FakeEcr:
    found = FakeEcr()
    monkeypatch.setattr(repositories, "connect_ecr", found.connect)
    return found


@pytest.mark.usefixtures("named")
def test_a_dry_run_of_promote_says_what_goes_where(run: Run) -> None:
    to = ("promote", "words", "--from", "staging", "--to", "production", "--dry-run")
    ran = run(*to)
    assert ran.status == 0
    assert "staging: staging/words" in ran.out
    assert "production: ml/words" in ran.out
    (one,) = json.loads(run(*to, "--json").out)
    assert one["digests"] == [DIGEST]
    assert (one["from"], one["to"], one["regions"]) == ("staging", "production", ["eu-west-1"])


def test_a_plan_shows_what_differs_and_apply_does_just_that(
    run: Run, named: World, ecr: FakeEcr
) -> None:
    assert named.root
    planned = run("registry", "plan")
    assert planned.status == 0
    assert planned.out.splitlines()[:4] == [
        "eu-west-1 ml/other: repository",
        "  + IMMUTABLE",
        "  + scan on push: on",
        "  + team=ml",
    ]
    assert "  + IMMUTABLE_WITH_EXCLUSION latest-cpu\n" in planned.out
    assert ecr.writes == []
    assert run("registry", "apply", "--dry-run").out == planned.out
    assert ecr.writes == []
    applied = run("registry", "apply", "production", "--json")
    assert applied.status == 0
    assert [one["operation"] for one in json.loads(applied.out)] == ecr.writes
    assert ecr.lifecycles["eu-west-1", "ml/words"].count("keep release 1.0.0") == 1
    ecr.calls.clear()
    assert run("registry", "apply").out == "nothing changed\n"
    assert run("registry", "plan").out == "nothing differs from matrix.yaml\n"
    assert ecr.writes == []


def test_a_registry_that_is_none_of_ecr_s_is_not_reconciled(run: Run, named: World) -> None:
    assert named.root
    ran = run("registry", "plan", "staging")
    assert ran.status == 2
    assert "error: the registry 'staging' is of kind oci; ECR's are reconciled\n" in ran.err


def test_a_policy_is_printed_as_json(run: Run, named: World) -> None:
    assert named.root
    ran = run("iam", "push")
    assert ran.status == 0
    assert json.loads(ran.out)["Statement"][1]["Resource"][1] == (
        "arn:aws:ecr:eu-west-1:123456789012:repository/ml/words"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("--account", "12"), ("--region", "europe"), ("--bucket", "A_b"), ("--role", "a role")],
)
def test_what_can_t_stand_in_an_arn_is_wrong_usage(run: Run, option: str, value: str) -> None:
    ran = run("iam", "train", option, value)
    assert ran.status == 2
    assert f"error: {option} '{value}' is not" in ran.err


def test_two_places_for_one_push_are_wrong_usage(run: Run) -> None:
    ran = run("push", "--registry", "localhost:5000", "--to", "staging")
    assert ran.status == 2
    assert "error: --registry and --to exclude each other\n" in ran.err
