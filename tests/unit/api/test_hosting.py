from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.api.test_choosing import release
from tests.unit.sagemaker.test_hosting import CPU, GPU
from twinforge.api.hosting import Order, place, plan, region
from twinforge.errors import ImpossibleError, UsageError
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from tests.unit.world import World


def test_images_run_in_the_one_region_that_they_are_in() -> None:
    assert region(CPU, GPU) == "eu-west-1"
    text = str(GPU.pinned).replace("eu-west-1", "us-east-1")
    with pytest.raises(UsageError, match="in several regions: eu-west-1, us-east-1"):
        region(CPU, replace(GPU, pinned=Reference.parse(text)))
    local = Reference.parse(f"localhost:5000/digits@{GPU.pinned.digest}")
    with pytest.raises(ImpossibleError, match="'localhost:5000' is another registry"):
        region(CPU, replace(GPU, pinned=local))


def test_an_endpoint_waits_as_long_as_the_slowest_of_its_images_may_take(world: World) -> None:
    release(world)
    world.edit(
        "recipes/words.yaml",
        "smoke:\n",
        "overrides: [{when: kind == cuda, smoke: {startup_s: 900}}]\nsmoke:\n  startup_s: 120\n",
    )

    def timeouts(*instances: str) -> list[int]:
        order = Order("words", "words-1", instances, "arn:aws:iam::123456789012:role/sagemaker")
        placed = place(world.workspace, order)
        planned = plan(world.workspace, order, placed, "s3://models/words/model.tar.gz")
        variants: Any = planned.config.parameters["ProductionVariants"]
        return [one["ContainerStartupHealthCheckTimeoutInSeconds"] for one in variants]

    assert timeouts("ml.m5.large") == [120]
    assert timeouts("ml.g5.xlarge", "ml.m5.large") == [900, 900]
