from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api.choosing import select
from twinforge.errors import ImpossibleError, UnknownError, UsageError
from twinforge.registry.releases import Release, ReleasedVariant, write_release
from twinforge.sagemaker.select import Wish

if TYPE_CHECKING:
    from tests.unit.world import World

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/words"


def release(world: World) -> None:
    variants = tuple(
        ReleasedVariant(
            slug=f"{accelerator}-debian12-py3.11",
            version="1.0.0",
            accelerator=accelerator,
            cuda=cuda,
            key=digit * 64,
            image_id=f"sha256:{digit * 64}",
            tags=(f"1.0.0-{accelerator}-debian12-py3.11", f"key-{digit * 16}"),
            aliases=(),
            digests={REPOSITORY: f"sha256:{digit * 64}"},
        )
        for accelerator, cuda, digit in (("cpu", "", "a"), ("cu129", "12.9", "b"))
    )
    write_release(world.root, Release("words", variants))


def test_a_misspelt_recipe_is_answered_with_the_one_that_was_meant(world: World) -> None:
    with pytest.raises(UsageError, match=r"^there is no recipe 'wrods'; did you mean 'words'\?$"):
        select(world.workspace, "wrods", "ml.m5.large")


def test_a_recipe_that_was_never_pushed_has_no_image(world: World) -> None:
    with pytest.raises(UsageError, match=r"^nothing of the recipe 'words' was released$") as caught:
        select(world.workspace, "words", "ml.m5.large")
    assert caught.value.hint == "push it first: `twinforge push words`"


@pytest.mark.parametrize(("instance", "digit"), [("ml.m5.large", "a"), ("ml.g5.xlarge", "b")])
def test_each_instance_gets_its_image(world: World, instance: str, digit: str) -> None:
    release(world)
    chosen = select(world.workspace, "words", instance)
    assert str(chosen.pinned) == f"{REPOSITORY}@sha256:{digit * 64}"


def test_what_can_not_work_and_what_is_not_known_are_different_refusals(world: World) -> None:
    release(world)
    with pytest.raises(ImpossibleError, match="K80"):
        select(world.workspace, "words", "ml.p2.xlarge")
    with pytest.raises(UnknownError, match=r"ml\.nonsense"):
        select(world.workspace, "words", "ml.nonsense")


def test_what_the_matrix_declares_for_a_type_goes_before_what_would_be_best(world: World) -> None:
    release(world)
    declared = "serves: {hosting: {ml.g5.xlarge: {accelerator: cpu}}}\naliases:"
    world.edit("matrix.yaml", "aliases:", declared)
    assert select(world.workspace, "words", "ml.g5.xlarge").variant == "cpu-debian12-py3.11"
    other = select(world.workspace, "words", "ml.g5.2xlarge")
    assert other.variant == "cu129-debian12-py3.11"
    trained = select(world.workspace, "words", "ml.g5.xlarge", use="training")
    assert trained.variant == "cu129-debian12-py3.11"


def test_what_the_matrix_declares_is_checked_all_the_same(world: World) -> None:
    release(world)
    declared = "serves: {hosting: {ml.p2.xlarge: {accelerator: cu129}}}\naliases:"
    world.edit("matrix.yaml", "aliases:", declared)
    with pytest.raises(ImpossibleError, match="K80"):
        select(world.workspace, "words", "ml.p2.xlarge")


def test_a_variant_that_is_named_goes_before_what_the_matrix_declares(world: World) -> None:
    release(world)
    declared = "serves: {hosting: {ml.g5.xlarge: {accelerator: cpu}}}\naliases:"
    world.edit("matrix.yaml", "aliases:", declared)
    chosen = select(world.workspace, "words", "ml.g5.xlarge", wish=Wish(accelerator="cu129"))
    assert chosen.variant == "cu129-debian12-py3.11"


def test_what_the_matrix_declares_and_nobody_pushed_is_refused(world: World) -> None:
    release(world)
    declared = "serves: {hosting: {ml.g5.xlarge: {python: '3.12'}}}\naliases:"
    world.edit(
        "matrix.yaml",
        "{recipe: words, accelerator: cpu}",
        "{recipe: words, accelerator: cpu, python: '3.11'}",
    )
    world.edit("matrix.yaml", 'python: ["3.11"]', 'python: ["3.11", "3.12"]')
    world.edit("matrix.yaml", "aliases:", declared)
    with pytest.raises(UsageError, match="none of it is released"):
        select(world.workspace, "words", "ml.g5.xlarge")


def test_the_project_s_own_data_decides_too(world: World) -> None:
    release(world)
    before = select(world.workspace, "words", "ml.g5.xlarge")
    assert any("driver 470" not in c and "default is 470" in c for c in before.conditions)
    (world.root / "compat").mkdir()
    (world.root / "compat" / "instances.yaml").write_text(
        'collected: "2026-11-24"\nsources: {support: a ticket}\ndefault_drivers:\n'
        "  - {uses: [hosting], families: [g5], driver: '580', cuda: '13.0',"
        " source: [support], verified: false}\n"
    )
    assert select(world.workspace, "words", "ml.g5.xlarge").conditions == ()
