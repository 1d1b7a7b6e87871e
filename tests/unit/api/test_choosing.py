from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from twinforge.api.choosing import plan_deployment, select
from twinforge.errors import ImpossibleError, TwinforgeError, UnknownError, UsageError
from twinforge.registry.releases import Release, ReleasedVariant, write_release

if TYPE_CHECKING:
    from tests.unit.world import World

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/words"
DEPLOYMENT: dict[str, Any] = {
    "endpoint": "words",
    "model_data": "s3://bucket/model.tar.gz",
    "role": "arn:aws:iam::123456789012:role/sagemaker",
}


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


def test_a_deployment_is_a_model_per_image_and_an_endpoint_config(world: World) -> None:
    release(world)
    instances = ["ml.m5.large:2", "ml.g5.xlarge"]
    requests = plan_deployment(world.workspace, "words", instances=instances, **DEPLOYMENT)
    *models, endpoint = requests
    images = [dict[str, Any](model.parameters)["PrimaryContainer"]["Image"] for model in models]
    assert images == [f"{REPOSITORY}@sha256:{digit * 64}" for digit in "ab"]
    placed: Any = endpoint.parameters["ProductionVariants"]
    assert [one["InitialInstanceCount"] for one in placed] == [2, 1]


def test_a_deployment_that_sagemaker_would_not_take_is_refused(world: World) -> None:
    release(world)
    wrong = {**DEPLOYMENT, "role": "me"}
    with pytest.raises(TwinforgeError, match="CreateModel: ExecutionRoleArn is 'me'"):
        plan_deployment(world.workspace, "words", instances=["ml.m5.large"], **wrong)


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
