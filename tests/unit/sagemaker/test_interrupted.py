"""A deployment that is cut off at any of its requests, with SageMaker's fake in this process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.account import REGION
from tests.fakes.sagemaker import FakeSageMaker
from tests.fakes.wire import RefusedError, model, problems
from tests.unit.sagemaker.test_hosting import CPU, GPU, MODEL_DATA, ROLE
from twinforge.errors import AwsError, AwsRefusedError, DeployError, TwinforgeError
from twinforge.events import ignore
from twinforge.model.reference import Reference
from twinforge.sagemaker.deploy import Deployed, carry_out
from twinforge.sagemaker.deployment import Deployment, plan_deployment
from twinforge.sagemaker.hosting import Placement
from twinforge.sagemaker.means import Means
from twinforge.sagemaker.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.select import Selected

CPU_2 = replace(CPU, pinned=Reference.parse(f"{CPU.pinned.name}@sha256:{'d' * 64}"))
PATIENCE = Patience(poll_s=1, limit_s=1000, sleep=lambda _: None, clock=lambda: 0.0)


@dataclass
class Line:
    """The fake as a service; ``cut`` is the number of the request that fails, before or after.

    With ``is_doubled``, that request is sent again by the SDK, since its first answer was lost.
    """

    fake: FakeSageMaker
    cut: int = -1
    is_after: bool = False
    is_doubled: bool = False
    count: int = 0
    asked: set[str] = field(default_factory=set)

    def call(self, operation: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
        number, self.count = self.count, self.count + 1
        self.asked.add(operation)
        is_cut = number == self.cut and not self.is_doubled
        if is_cut and not self.is_after:
            message = f"{operation} was cut off"
            raise AwsError(message)
        try:
            answer = self._ask(operation, dict(parameters))
        except AwsRefusedError:
            if not is_cut:
                raise
        if is_cut:
            message = f"the answer to {operation} was cut off"
            raise AwsError(message)
        return self._ask(operation, dict(parameters)) if number == self.cut else answer

    def _ask(self, operation: str, parameters: dict[str, Any]) -> Mapping[str, Any]:
        service = "logs" if "Log" in operation else "sagemaker"
        shapes = model(service).operation_model(operation)
        assert problems(shapes.input_shape, parameters) == []
        try:
            answer = self.fake.handle(operation, parameters)
        except RefusedError as error:
            raise AwsRefusedError(str(error), code=error.code, said=str(error)) from error
        assert problems(shapes.output_shape, answer) == []
        return answer


def plan(*selected: Selected) -> Deployment:
    return plan_deployment(
        [Placement(one) for one in selected],
        endpoint="Digits",
        model_data=MODEL_DATA,
        role=ROLE,
        startup_s=60,
    )


def deploy(planned: Deployment, line: Line) -> Deployed:
    return carry_out(planned, Means("deploy", line, line, PATIENCE, ignore))


def requests_of(planned: Deployment, *before: Deployment) -> int:
    fake = FakeSageMaker()
    for one in before:
        deploy(one, Line(fake))
    line = Line(fake)
    deploy(planned, line)
    return line.count


@pytest.mark.parametrize("is_after", [False, True], ids=["request", "answer"])
@pytest.mark.parametrize("lag", [0, 2])
def test_a_first_deployment_cut_off_anywhere_is_completed_by_the_same_again(
    *, is_after: bool, lag: int
) -> None:
    planned = plan(CPU, GPU)
    for cut in range(requests_of(planned)):
        fake = FakeSageMaker(lag=lag)
        with pytest.raises(TwinforgeError, match="cut off"):
            deploy(planned, Line(fake, cut, is_after=is_after))
        done = deploy(planned, Line(fake))
        assert done.proved
        assert done.digests == {
            "ml-m4-xlarge": (f"sha256:{'c' * 64}",),
            "ml-g4dn-xlarge": (f"sha256:{'2' * 64}",),
        }
        assert len(fake.models) == 2
        assert len(fake.configs) == 1
        assert fake.operations("CreateEndpoint").count("CreateEndpoint") == 1


@pytest.mark.parametrize("is_after", [False, True], ids=["request", "answer"])
def test_an_update_cut_off_anywhere_is_never_a_success_and_is_completed_by_the_same_again(
    *, is_after: bool
) -> None:
    old, new = plan(CPU), plan(CPU_2)
    for cut in range(requests_of(new, old)):
        fake = FakeSageMaker()
        deploy(old, Line(fake))
        with pytest.raises(TwinforgeError, match="cut off"):
            deploy(new, Line(fake, cut, is_after=is_after))
        assert fake.endpoints["Digits"].config in {old.config_name, new.config_name}
        done = deploy(new, Line(fake))
        assert (done.proved, done.config) == (True, new.config_name)
        assert fake.operations("UpdateEndpoint") == ["UpdateEndpoint"]
        assert fake.violations == []


def test_a_request_that_the_sdk_sends_twice_makes_nothing_twice() -> None:
    old, new = plan(CPU), plan(CPU_2, GPU)
    for cut in range(requests_of(new, old)):
        fake = FakeSageMaker()
        deploy(old, Line(fake, cut, is_doubled=True))
        done = deploy(new, Line(fake, cut, is_doubled=True))
        assert (done.proved, len(fake.models), len(fake.configs)) == (True, 3, 2)


def test_a_name_that_somebody_else_took_is_not_taken_for_ours() -> None:
    planned = plan(CPU)
    fake = FakeSageMaker()
    (model,) = planned.models
    theirs = {**model.parameters, "PrimaryContainer": {"Image": "i", "ModelDataUrl": MODEL_DATA}}
    fake.models[str(model.parameters["ModelName"])] = {"asked": theirs, "created": fake.now}
    with pytest.raises(DeployError, match="is there and holds something else"):
        deploy(planned, Line(fake))
    assert fake.writes == []


def test_an_image_that_does_not_start_is_never_a_success_however_often_it_is_tried() -> None:
    old, new = plan(CPU), plan(CPU_2)
    fake = FakeSageMaker()
    deploy(old, Line(fake))
    fake.runner.broken.add("d" * 64)  # type: ignore[attr-defined] # it is a Pretence
    for _ in range(3):
        with pytest.raises(TwinforgeError, match="does not run"):
            deploy(new, Line(fake))
        assert fake.endpoints["Digits"].config == old.config_name
    assert len(fake.configs) == 2
    fake.runner.broken.clear()  # type: ignore[attr-defined] # it is a Pretence
    assert deploy(new, Line(fake)).proved


def test_the_fake_is_in_the_region_of_the_images() -> None:
    assert REGION in CPU.pinned.host
