from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.api import promoting
from twinforge.api.promoting import PromoteOptions, plan_promotion, promote
from twinforge.errors import UsageError
from twinforge.model.reference import Digest
from twinforge.registry.items import Pushed, Target
from twinforge.registry.releases import Release, ReleasedVariant, write_release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.world import World
    from twinforge.registry.promote import Promotion

OCI = 'registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}'
NAMED = """registry:
  staging: {kind: oci, host: "registry.example.com", repository: "staging/{recipe}"}
  production: {kind: oci, host: "prod.example.com:5000", repository: "ml/{recipe}"}
"""
STAGING = "registry.example.com/staging/words"
PRODUCTION = "prod.example.com:5000/ml/words"


def released(slug: str, version: str = "1.0.0", where: str = STAGING) -> ReleasedVariant:
    return ReleasedVariant(
        slug=slug,
        version=version,
        accelerator="cpu",
        cuda="",
        key="k" * 64,
        image_id=f"sha256:{'1' * 64}",
        tags=(f"{version}-{slug}", "key-kkkk"),
        aliases=(f"latest-{slug}",),
        digests={where: f"sha256:{'d' * 64}"},
    )


@pytest.fixture
def named(world: World) -> World:
    world.edit("matrix.yaml", OCI, NAMED)
    return world


def record(world: World, *variants: ReleasedVariant) -> None:
    write_release(world.root, Release("words", variants))


def plan(world: World, **options: str) -> promoting.PromotionPlan:
    given = {"source": "staging", "target": "production", **options}
    return plan_promotion(world.workspace, "words", **given)


class Registries:
    """Takes what is promoted."""

    def __init__(self) -> None:
        self.promotions: tuple[Promotion, ...] = ()
        self.source: Target | None = None
        self.options: dict[str, Any] = {}

    def __call__(
        self,
        promotions: Sequence[Promotion],
        source: Target,
        targets: Sequence[Target],
        **options: Any,
    ) -> tuple[Pushed, ...]:
        self.promotions, self.source, self.options = tuple(promotions), source, options
        return tuple(
            Pushed(
                one.item.variant.slug, target.repository.name, one.digest, one.item.tags,
                one.item.aliases, *(0, 20, 0, 2), already=False,
            )
            for target in targets
            for one in promotions
        )  # fmt: skip


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    found = Registries()
    monkeypatch.setattr(promoting, "promote_to_all", found)
    return found


def test_a_release_goes_by_its_digests_and_the_record_says_where_it_is(
    named: World, registries: Registries
) -> None:
    record(named, released("cpu"), released("cuda"))
    promote(named.workspace, plan(named), PromoteOptions())
    assert registries.source is not None
    assert registries.source.repository.name == STAGING
    assert [one.digest for one in registries.promotions] == [Digest("d" * 64)] * 2
    assert [one.item.variant.id for one in registries.promotions] == ["words/cpu", "words/cuda"]
    assert registries.options["gate"] is None
    found = json.loads((named.root / "releases/words.json").read_text("utf-8"))
    for variant in found["variants"].values():
        assert variant["digests"] == dict.fromkeys((STAGING, PRODUCTION), f"sha256:{'d' * 64}")


def test_a_registry_with_a_budget_has_a_gate(named: World, registries: Registries) -> None:
    named.edit("matrix.yaml", '5000", rep', '5000", budget: {serverless: 10 GiB}, rep')
    record(named, released("cpu"))
    promote(named.workspace, plan(named), PromoteOptions())
    assert registries.options["gate"] is not None


def test_several_versions_need_a_tag(named: World, registries: Registries) -> None:
    record(named, released("cpu", "1.0.0"), released("cuda", "1.1.0"))
    with pytest.raises(UsageError, match=r"recorded in 2 versions: 1\.0\.0, 1\.1\.0"):
        plan(named)
    promote(named.workspace, plan(named, version="1.1.0"), PromoteOptions())
    assert [one.item.variant.slug for one in registries.promotions] == ["cuda"]
    with pytest.raises(UsageError, match=r"'words' 2\.0\.0 is not in releases/words\.json"):
        plan(named, version="2.0.0")


def test_a_release_that_is_not_where_it_should_come_from_is_named(
    named: World, registries: Registries
) -> None:
    record(named, released("cpu"), released("cuda", where=PRODUCTION))
    with pytest.raises(UsageError, match=r"words 1\.0\.0 is not in 'staging' as a whole: cuda"):
        promote(named.workspace, plan(named), PromoteOptions())
    assert registries.promotions == ()


def test_names_that_are_not_there_are_wrong_usage(named: World) -> None:
    with pytest.raises(UsageError, match="nothing of the recipe 'words' was released"):
        plan(named)
    with pytest.raises(
        UsageError, match=r"names no registry 'prod'; known are 'staging', 'production'"
    ):
        plan(named, target="prod")
    with pytest.raises(UsageError, match="from 'staging' to itself"):
        plan(named, target="staging")
    with pytest.raises(UsageError, match="there is no recipe 'word'; did you mean 'words'"):
        plan_promotion(named.workspace, "word", source="staging", target="production")


def test_the_one_registry_of_a_matrix_is_called_default(world: World) -> None:
    record(world, released("cpu"))
    with pytest.raises(UsageError, match="from 'default' to itself"):
        plan(world, source="default", target="default")
