"""The fake's images in a real engine: trained and served as SageMaker does, as far as matters here.

Files travel through the engine's API, so that it need not share our file system.
"""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.runner import Learned, Served

if TYPE_CHECKING:
    from collections.abc import Mapping

PING_S = 2.0
"""Source: SageMaker developer guide: a ping is answered within two seconds."""
PAUSE_S = 0.1
HEADERS = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")


@dataclass
class Containers:
    """A :class:`tests.fakes.runner.Runner` with an engine.

    Attributes:
        images: The engine's image ids by the digest that a registry knows them under.
        s3: boto3's client of the S3 that holds data and models.
        started: The containers that were started.
        ran: The digests of the images that were run, each with ``train`` or ``serve``.
    """

    images: Mapping[str, str]
    s3: Any
    started: list[str] = field(default_factory=list)
    ran: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, image: str, model_data: str, limit_s: int) -> Served:
        """Start a container with a model, as ``docker run IMAGE serve`` does, and ping it."""
        files = {"opt/ml/model/": b""}
        for name, content in read_tar(self._get(model_data), "r:gz").items():
            files[f"opt/ml/model/{name}"] = content
        container = self._create(image, "serve", files, "--publish", "127.0.0.1::8080")
        docker("start", container)
        port = docker("port", container, "8080").decode().split()[0].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}"
        ok = self._answers(container, url, limit_s)
        return Served(url, self._log(container), ok=ok)

    def train(self, job: Mapping[str, Any], model: str) -> Learned:
        """Run a container with a job's data to its end, and put its model where it belongs."""
        files = {"opt/ml/model/": b"", "opt/ml/output/data/": b""}
        channels = {}
        for channel in job.get("InputDataConfig", ()):
            name = channel["ChannelName"]
            channels[name] = {"TrainingInputMode": "File", "RecordWrapperType": "None"}
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            for key, content in self._below(uri).items():
                files[f"opt/ml/input/data/{name}/{key}"] = content
        documents = {
            "hyperparameters.json": job.get("HyperParameters", {}),
            "inputdataconfig.json": channels,
            "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"]},
        }
        for name, value in documents.items():
            files[f"opt/ml/input/config/{name}"] = json.dumps(value).encode()
        image = job["AlgorithmSpecification"]["TrainingImage"]
        container = self._create(image, "train", files)
        docker("start", container)
        status = int(docker("wait", container))
        failure = self._copy(container, "/opt/ml/output/failure").get("failure", b"").decode()
        if status == 0:
            self._put(model, self._copy(container, "/opt/ml/model"))
        return Learned(status, failure, self._log(container))

    def invoke(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Pass an invocation on; other headers than those of InvokeEndpoint are stripped."""
        kept = {name: headers[name] for name in HEADERS if name in headers}
        request = urllib.request.Request(f"{url}/invocations", data=body, headers=kept)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("Content-Type", ""), error.read()

    def remove(self) -> None:
        """Remove every container that was started."""
        if self.started:
            docker("rm", "--force", "--volumes", *self.started)

    def _create(self, image: str, verb: str, files: Mapping[str, bytes], *options: str) -> str:
        digest = image.partition("@")[2]
        self.ran.append((digest, verb))
        container = docker("create", *options, self.images[digest], verb).decode().strip()
        self.started.append(container)
        docker("cp", "-", f"{container}:/", stdin=make_tar(files, "w"))
        return container

    def _answers(self, container: str, url: str, limit_s: int) -> bool:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{url}/ping", timeout=PING_S) as answer:
                    return bool(answer.status == 200)
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_S)
            state = docker("inspect", "--format", "{{.State.Running}}", container)
            if state.strip() != b"true":
                return False
        return False

    @staticmethod
    def _log(container: str) -> str:
        done = subprocess.run(["docker", "logs", container], capture_output=True, check=True)
        return (done.stdout + done.stderr).decode()

    @staticmethod
    def _copy(container: str, path: str) -> dict[str, bytes]:
        """What lies at a path, by its name below it; nothing where nothing is."""
        done = subprocess.run(
            ["docker", "cp", f"{container}:{path}", "-"], capture_output=True, check=False
        )
        found = read_tar(done.stdout, "r:") if done.returncode == 0 else {}
        return {name.partition("/")[2] or name: content for name, content in found.items()}

    def _get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def _below(self, uri: str) -> dict[str, bytes]:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
        keys = [one["Key"] for one in listed]
        return {
            key.removeprefix(prefix).lstrip("/"): self._get(f"s3://{bucket}/{key}") for key in keys
        }

    def _put(self, uri: str, files: Mapping[str, bytes]) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=bucket, Key=key, Body=make_tar(files, "w:gz"))


def docker(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
    return done.stdout


def make_tar(files: Mapping[str, bytes], mode: Any) -> bytes:
    """Pack files; a name that ends with a slash is a folder."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = 0o755 if name.endswith("/") else 0o644
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def read_tar(content: bytes, mode: Any) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode=mode) as tar:
        return {
            member.name: file.read()
            for member in tar.getmembers()
            if (file := tar.extractfile(member)) is not None
        }
