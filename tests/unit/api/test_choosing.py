from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api.choosing import select
from twinforge.errors import ImpossibleError, UnknownError, UsageError
from twinforge.registry.releases import Release, ReleasedVariant, write_release

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
