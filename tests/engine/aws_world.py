"""The program against the fake of SageMaker and moto's S3, in a project with a release."""

from __future__ import annotations

import io
import json
import signal
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.fakes.account import ACCOUNT, REGION
from tests.fakes.runner import Pretence
from twinforge.cli import main
from twinforge.registry.releases import Release, ReleasedVariant, write_release
from twinforge.sagemaker.iam import Kind, Scope, plan_policy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.sagemaker import FakeSageMaker
    from tests.fakes.wire import Wire

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
REPOSITORY = f"{HOST}/ml/words"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
MODEL = "s3://models/words/model.tar.gz"
CPU, CUDA = "cpu-debian12-py3.11", "cu129-debian12-py3.11"
QUICK = ("--poll", "0.01")


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended: its exit status, and what it printed where."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class AwsWorld:
    """A project, and the AWS that it speaks to."""

    root: Path
    fake: FakeSageMaker
    wire: Wire
    s3_url: str
    capture: pytest.CaptureFixture[str]

    @property
    def pretence(self) -> Pretence:
        assert isinstance(self.fake.runner, Pretence)
        return self.fake.runner

    def run(self, *arguments: str) -> Ran:
        """Run the program in this process, to its end; the fake makes no mistake meanwhile."""
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                main(["-C", str(self.root), *arguments])
        finally:
            signal.signal(signal.SIGTERM, handler)
        printed = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        assert self.wire.mistakes == []
        return Ran(ended.value.code, printed.out, printed.err)

    def must(self, *arguments: str) -> Ran:
        """Run what must succeed."""
        ran = self.run(*arguments)
        assert ran.status == 0, ran.err
        return ran

    def deploy(self, *arguments: str, instance: str = "ml.m5.large") -> Ran:
        """Deploy the release to the endpoint ``words``."""
        return self.run(
            *("deploy", "words", "--endpoint", "words", "--model", MODEL, "--role", ROLE, *QUICK),
            *(("--instance", instance) if instance else ()),
            *arguments,
        )

    def release(self, version: str, *, cpu: str, cuda: str = "b") -> None:
        """Record a push: an image per accelerator, whose digests repeat a digit."""
        variants = tuple(
            ReleasedVariant(
                slug=slug,
                version=version,
                accelerator=accelerator,
                cuda=release,
                key=digit * 64,
                image_id=f"sha256:{digit * 64}",
                tags=(f"{version}-{slug}",),
                aliases=(),
                digests={REPOSITORY: f"sha256:{digit * 64}"},
            )
            for slug, accelerator, release, digit in (
                (CPU, "cpu", "", cpu),
                (CUDA, "cu129", "12.9", cuda),
            )
        )
        write_release(self.root, Release("words", variants))

    def unallowed(self) -> set[str]:
        """Return what was sent to SageMaker or the logs and no policy of ours allows."""
        scope = Scope("aws", (REGION,), ACCOUNT, "words", "ml/words", "words", ("models",), ROLE)
        kinds: tuple[Kind, ...] = ("train", "deploy", "operate", "predict")
        statements: Any = [plan_policy(kind, scope)["Statement"] for kind in kinds]
        allowed = {action for found in statements for one in found for action in one["Action"]}
        sent = {("logs:" if "Log" in name else "sagemaker:") + name for name, _ in self.fake.calls}
        return sent - allowed

    def s3(self) -> Any:
        """Return a client of moto's S3."""
        return boto3.client("s3", region_name=REGION, endpoint_url=self.s3_url)

    def sagemaker(self) -> Any:
        """Return a client of the fake, for what others do there."""
        return boto3.client("sagemaker", region_name=REGION, endpoint_url=self.wire.url)

    def put_model(self, address: str, files: dict[str, bytes] | None = None) -> None:
        """Put a model.tar.gz at an S3 address."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        self.s3().put_object(Bucket=bucket, Key=key, Body=tar_gz(files or {"model.json": b"{}"}))


def tar_gz(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def digest(digit: str) -> str:
    return f"sha256:{digit * 64}"
