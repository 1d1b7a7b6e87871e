"""From an empty engine to a prediction: trained with the CUDA image, served with the CPU image.

The release goes to a staging registry and is promoted to ECR from there. Moto plays ECR's control
plane and S3, a real registry ECR's data plane, and the fake of SageMaker runs the images that it is
told to in the real engine.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.fakes.account import REGION
from tests.fakes.containers import Containers, make_tar
from tests.fakes.sagemaker import FakeSageMaker
from tests.fakes.wire import serving
from tests.registry_server import RegistryServer, running_registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

TOKEN = "123456789012-auth-token"  # what moto's get_authorization_token holds
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
CPU, CUDA = "cpu-py3.11-debian12", "cu118-py3.11-debian12"
QUICK = ("--poll", "0.05")
REGISTRIES = """registry:
  staging: {{kind: oci, host: "{host}", repository: "{prefix}/{{recipe}}"}}
  production: {{kind: ecr, regions: [eu-west-1], repository: "{prefix}/{{recipe}}"}}
"""


def release(project: Project, staging: RegistryServer, control_plane: str, folder: Path) -> None:
    """Build, smoke, push to staging and promote to ECR."""
    old = project.read("matrix.yaml")
    registries = REGISTRIES.format(host=staging.host, prefix=project.prefix)
    project.edit("matrix.yaml", old[old.index("registry:\n") :], registries)
    project.edit("matrix.yaml", "cu129", "cu118")
    project.edit("matrix.yaml", 'cuda: "12.9"', 'cuda: "11.8"')  # the last that knows ml.p2
    project.must("lock")
    project.must("render")
    project.must("build", "tiny")
    project.must("smoke", "tiny")
    project.must("push", "tiny")
    assert HOST not in project.read("releases/tiny.json")
    with running_registry(folder, username="AWS", password=TOKEN) as ecr:
        project.must(
            *("promote", "tiny", "--from", "staging", "--to", "production"),
            *("--endpoint-url", control_plane, "--address", ecr.host),
        )


def images(project: Project) -> dict[str, str]:
    released = json.loads(project.read("releases/tiny.json"))["variants"]
    return {
        digest: variant["image_id"]
        for variant in released.values()
        for digest in variant["digests"].values()
    }


def test_a_model_that_the_cuda_image_learned_is_served_by_the_cpu_image(
    tiny: Project, staging: RegistryServer, control_plane: str, tmp_path: Path
) -> None:
    release(tiny, staging, control_plane, tmp_path / "ecr")
    known = images(tiny)
    released = json.loads(tiny.read("releases/tiny.json"))["variants"]
    digests = {
        slug: found["digests"][f"{HOST}/{tiny.prefix}/tiny"] for slug, found in released.items()
    }
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=control_plane)
    # servers of moto in one process share their state: the bucket is of this test alone
    s3.create_bucket(Bucket="e2e-models", CreateBucketConfiguration={"LocationConstraint": REGION})
    runner = Containers(known, s3)
    fake = FakeSageMaker(runner=runner)
    try:
        with serving(fake) as wire:
            project = replace(
                tiny,
                env={
                    "AWS_ENDPOINT_URL_SAGEMAKER": wire.url,
                    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": wire.url,
                    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": wire.url,
                    "AWS_ENDPOINT_URL_S3": control_plane,
                    "AWS_REGION": REGION,
                },
            )
            trained = project.must(
                *("train", "tiny", "--instance", "ml.p2.xlarge", "--role", ROLE, *QUICK),
                *("--channel", "training=smoke/training", "--output", "s3://e2e-models/tiny"),
                *("--name", "first"),
            )
            assert trained.out == "s3://e2e-models/tiny/first/output/model.tar.gz\n"
            deploy = (
                *("deploy", "tiny", "--endpoint", "tiny", "--instance", "ml.m4.xlarge"),
                *("--model", "first", "--role", ROLE, "--json", *QUICK),
            )
            deployed = json.loads(project.must(*deploy).out)
            assert deployed["digests"] == {"AllTraffic": [digests[CPU]]}
            assert runner.ran == [(digests[CUDA], "train"), (digests[CPU], "serve")]
            predicted = project.must(
                *("predict", "tiny", "--content-type", "text/csv", "smoke/row.csv")
            )
            assert json.loads(predicted.out) == {"mean": 3}
            project.must("model", "fetch", "first", "model")
            assert json.loads(project.read("model/model.json")) == {"mean": 3}

            failed = project.run(
                *("train", "tiny", "--instance", "ml.p2.xlarge", "--role", ROLE, *QUICK),
                *("--output", "s3://e2e-models/tiny", "--name", "without-data"),
            )
            assert failed.status == 1
            assert "/opt/ml/input/data/training" in failed.err

            s3.put_object(Bucket="e2e-models", Key="broken.tar.gz", Body=_empty_model())
            broken = project.run(*deploy, "--model", "s3://e2e-models/broken.tar.gz")
            assert broken.status == 1
            assert "did not pass the ping health check" in broken.err
            assert "No such file or directory: '/opt/ml/model/model.json'" in broken.err
            again = project.must(
                *("predict", "tiny", "--content-type", "text/csv", "smoke/row.csv")
            )
            assert again.out == predicted.out
            assert wire.mistakes == []
            assert fake.violations == []
    finally:
        runner.remove()


def _empty_model() -> bytes:
    return make_tar({"readme": b"nothing was learned"}, "w:gz")
