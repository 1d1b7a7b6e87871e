from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from twinforge.compat.instances import instance_types
from twinforge.compat.verdict import Verdict
from twinforge.errors import TwinforgeError, UsageError
from twinforge.model.reference import Reference
from twinforge.sagemaker.hosting import Placement, Request, hosting_requests, parse_instance
from twinforge.sagemaker.model import check_requests, request_problems
from twinforge.sagemaker.select import Selected

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/digits"
MODEL_DATA = "s3://models/digits/model.tar.gz"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"

CPU = Selected(
    recipe="digits",
    variant="cpu-py3.11-debian12",
    instance="ml.m4.xlarge",
    use="hosting",
    reference=Reference.parse(f"{REPOSITORY}:1.0.0-cpu-py3.11-debian12"),
    pinned=Reference.parse(f"{REPOSITORY}@sha256:{'c' * 64}"),
    verdict=Verdict.WORKS,
    conditions=(),
    reason="",
    ami="",
)
GPU = replace(
    CPU,
    variant="cu129-py3.11-debian12",
    instance="ml.g4dn.xlarge",
    pinned=Reference.parse(f"{REPOSITORY}@sha256:{'2' * 64}"),
    verdict=Verdict.CONDITIONAL,
    ami="al2-ami-sagemaker-inference-gpu-2",
)


def requests(
    *placements: Placement, endpoint: str = "digits", startup_s: int = 30, role: str = ROLE
) -> tuple[Request, ...]:
    return hosting_requests(
        placements, endpoint=endpoint, model_data=MODEL_DATA, role=role, startup_s=startup_s
    )


def variants(config: Request) -> Any:
    return config.parameters["ProductionVariants"]


def test_one_instance_makes_a_model_and_a_config_that_are_pinned_and_named_by_content() -> None:
    made = requests(Placement(CPU))
    assert [request.as_json() for request in made] == [
        {
            "operation": "CreateModel",
            "parameters": {
                "ModelName": "digits-cccccccccccc-e2c4dbde49",
                "PrimaryContainer": {
                    "Image": f"{REPOSITORY}@sha256:{'c' * 64}",
                    "ModelDataUrl": MODEL_DATA,
                },
                "ExecutionRoleArn": ROLE,
                "Tags": [
                    {"Key": "twinforge:recipe", "Value": "digits"},
                    {"Key": "twinforge:variants", "Value": "cpu-py3.11-debian12"},
                ],
            },
        },
        {
            "operation": "CreateEndpointConfig",
            "parameters": {
                "EndpointConfigName": "digits-ff5fab9bdb",
                "ProductionVariants": [
                    {
                        "VariantName": "AllTraffic",
                        "ModelName": "digits-cccccccccccc-e2c4dbde49",
                        "InstanceType": "ml.m4.xlarge",
                        "InitialInstanceCount": 1,
                        "InitialVariantWeight": 1.0,
                        "ContainerStartupHealthCheckTimeoutInSeconds": 60,
                    }
                ],
                "Tags": [
                    {"Key": "twinforge:endpoint", "Value": "digits"},
                    {"Key": "twinforge:recipe", "Value": "digits"},
                    {"Key": "twinforge:variants", "Value": "cpu-py3.11-debian12"},
                ],
            },
        },
    ]
    check_requests(made, endpoint="digits")


def test_several_instance_types_are_variants_with_their_own_images_and_share_by_count() -> None:
    first, second, config = requests(Placement(CPU, 3), Placement(GPU))
    assert first.parameters["ModelName"] != second.parameters["ModelName"]
    assert [
        (v["VariantName"], v["ModelName"], v["InitialInstanceCount"], v["InitialVariantWeight"])
        for v in variants(config)
    ] == [
        ("ml-m4-xlarge", first.parameters["ModelName"], 3, 3.0),
        ("ml-g4dn-xlarge", second.parameters["ModelName"], 1, 1.0),
    ]
    assert [v.get("InferenceAmiVersion") for v in variants(config)] == [
        None,
        "al2-ami-sagemaker-inference-gpu-2",
    ]
    check_requests((first, second, config))


def test_instance_types_with_the_same_image_share_a_model() -> None:
    made = requests(Placement(CPU), Placement(replace(CPU, instance="ml.m5.xlarge")))
    assert [request.operation for request in made] == ["CreateModel", "CreateEndpointConfig"]


@pytest.mark.parametrize(("startup_s", "sent"), [(1, 60), (300, 300), (9999, 3600)])
def test_the_start_up_time_stays_within_sagemakers_bounds(startup_s: int, sent: int) -> None:
    config = requests(Placement(CPU), startup_s=startup_s)[-1]
    assert variants(config)[0]["ContainerStartupHealthCheckTimeoutInSeconds"] == sent


def test_the_same_input_gives_the_same_names_and_another_image_gives_new_ones() -> None:
    assert requests(Placement(CPU)) == requests(Placement(CPU))
    model, config = requests(Placement(CPU))
    other = replace(CPU, pinned=Reference.parse(f"{REPOSITORY}@sha256:{'d' * 64}"))
    new_model, new_config = requests(Placement(other))
    assert model.parameters["ModelName"] != new_model.parameters["ModelName"]
    assert config.parameters["EndpointConfigName"] != new_config.parameters["EndpointConfigName"]


def test_long_and_odd_names_are_made_to_fit() -> None:
    recipe = "a" * 60 + "_b.c"
    made = requests(Placement(replace(CPU, recipe=recipe)), endpoint="e" * 63)
    check_requests(made, endpoint="e" * 63)
    assert len(str(made[0].parameters["ModelName"])) == 63


def test_a_type_that_is_named_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"'ml\.m4\.xlarge' is named twice"):
        requests(Placement(CPU), Placement(CPU))
    with pytest.raises(UsageError, match="at least one instance"):
        requests()


@pytest.mark.parametrize("text", ["ml.m4.xlarge:0", "ml.m4.xlarge:", "ml.m4.xlarge:two"])
def test_a_number_of_instances_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a number of instances"):
        parse_instance(text)
    assert parse_instance("ml.m4.xlarge") == ("ml.m4.xlarge", 1)


def test_ten_production_variants_are_allowed_and_eleven_are_not() -> None:
    names = [name for name, known in instance_types().items() if "hosting" in known.uses][:11]
    placements = [Placement(replace(CPU, instance=name)) for name in names]
    check_requests(requests(*placements[:10]))
    with pytest.raises(TwinforgeError, match="ProductionVariants has 11 items, at most 10"):
        check_requests(requests(*placements))


def test_all_problems_of_all_requests_come_at_once() -> None:
    made = requests(
        Placement(replace(CPU, instance="ml.m4.huge", ami="newest")), endpoint="", role="sagemaker"
    )
    with pytest.raises(TwinforgeError) as got:
        check_requests(made, endpoint="not a name")
    lines = got.value.message.splitlines()
    assert lines[0] == "sagemaker would refuse this:"
    told = ("ExecutionRoleArn", "'ml.m4.huge', which is none of", "'newest'", "endpoint: EndpointN")
    assert all(any(part in line for line in lines) for part in told)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"ModelName": "a" * 64}, "ModelName has 64 characters, at most 63 is allowed"),
        ({"ModelName": "_"}, "which does not match"),
        ({"ModelName": 3}, "Invalid type for parameter ModelName"),
        ({"ModelName": "a", "Colour": "red"}, 'Unknown parameter in input: "Colour"'),
        ({}, 'Missing required parameter in input: "ModelName"'),
        (
            {"ModelName": "a", "PrimaryContainer": {"Environment": {"1": "x"}}},
            "PrimaryContainer.Environment key is '1'",
        ),
        ({"ModelName": "a", "Tags": [{"Key": "k" * 129, "Value": ""}]}, "Tags[0].Key has 129"),
    ],
)
def test_what_the_service_model_forbids_is_told(parameters: dict[str, object], told: str) -> None:
    assert any(told in line for line in request_problems(Request("CreateModel", parameters)))


def test_a_number_above_its_limit_and_an_unknown_operation_are_told() -> None:
    variant = {"VariantName": "a", "VolumeSizeInGB": 513}
    config = Request(
        "CreateEndpointConfig", {"EndpointConfigName": "a", "ProductionVariants": [variant]}
    )
    assert request_problems(config) == (
        "ProductionVariants[0].VolumeSizeInGB is 513, at most 512 is allowed",
    )
    assert request_problems(Request("CreateToast", {})) == ("sagemaker has no such operation",)


def test_requests_are_json() -> None:
    made = requests(Placement(CPU), Placement(GPU))
    assert json.loads(json.dumps([request.as_json() for request in made]))
