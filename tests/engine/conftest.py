"""What tests with a real engine share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.engine.aws_world import AwsWorld
from tests.fakes.account import REGION
from tests.fakes.sagemaker import FakeSageMaker
from tests.fakes.wire import serving
from tests.unit.world import make_project
from twinforge.build.bases import make_base
from twinforge.engine.engine import Engine, Settings, find_engine
from twinforge.events import ignore
from twinforge.lock.document import read_bases
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.model.project import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that answers; tests/conftest.py has seen that there is one."""
    found = find_engine(Settings(dict(os.environ), Path("/var/lib/twinforge")))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def shipped() -> Project:
    """This checkout's own recipes and matrix."""
    return load_project(ROOT)


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Where bases are kept: the user's own cache, so that a base is made once per machine."""
    named = os.environ.get("TWINFORGE_CACHE_DIR")
    return Path(named) if named else Path.home() / ".cache" / "twinforge"


@pytest.fixture(scope="session")
def base_image(engine: Engine, shipped: Project, cache_dir: Path) -> str:
    """A Debian 12 with Python in the engine, by its reference: the base of the shipped recipe."""
    base = next(one for one in shipped.matrix.bases if one.name == "debian-12")
    made = make_base(
        base,
        read_bases(ROOT).get(base.name),
        engine=engine,
        cache_dir=cache_dir,
        listener=ignore,
        locked=False,
    )
    return made.reference


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Moto's S3, which is truthful enough for objects."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    _s3(url).create_bucket(
        Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    yield url
    server.stop()


def _s3(url: str) -> Any:
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture
def aws(
    tmp_path: Path,
    s3_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[AwsWorld]:
    """A project with a release, whose AWS is the fake of SageMaker and moto's S3."""
    fake = FakeSageMaker(objects=_s3(s3_url))
    with serving(fake) as wire:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_SAGEMAKER": wire.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": wire.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": wire.url,
            "AWS_ENDPOINT_URL_S3": s3_url,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        world = AwsWorld(make_project(tmp_path / "project"), fake, wire, s3_url, capsys)
        world.release("1.0.0", cpu="a")
        yield world
        assert wire.mistakes == []
        assert fake.violations == []
        assert world.unallowed() == set()
