from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fakes.desk import make_table
from twinforge.errors import TwinforgeError
from twinforge.sagemaker.local import transform as transforms
from twinforge.sagemaker.local.invoke import Reply
from twinforge.sagemaker.local.records import Batching
from twinforge.sagemaker.local.transform import Transform, transform_env

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

URL = "http://127.0.0.1:9"


class Container:
    """Answers the requests of a transform from a script."""

    def __init__(self, *answers: Reply | httpx.TransportError) -> None:
        self.answers = list(answers)
        self.got: list[tuple[bytes, dict[str, str]]] = []

    def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Reply:
        assert url == URL
        assert timeout_s == 600
        self.got.append((body, dict(headers)))
        answer = self.answers.pop(0) if self.answers else Reply(200, body.upper(), "text/csv")
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer


def transform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, container: Container, **asked: Any
) -> transforms.Transformed:
    monkeypatch.setattr(transforms, "post", container)
    table = make_table(lambda *_: None)
    wanted = Transform(
        source=str(tmp_path), output=str(tmp_path / "out"), content_type="text/csv", **asked
    )
    job = transforms._Job(table.means, "words", wanted, Batching(6, 1, "SingleRecord"), URL)
    (tmp_path / "a.csv").write_text("a\nb\n")
    (tmp_path / "b.csv").write_text("c\n")
    with ThreadPoolExecutor(1) as pool:
        for name in ("a.csv", "deep/b.csv"):
            job.transform(name, tmp_path / name.rpartition("/")[2], pool)
    return job.ended(("last line",))


def test_every_file_has_an_output_and_every_record_a_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = Container()
    done = transform(
        monkeypatch, tmp_path, container, split="Line", assembly="Line", accept="text/csv"
    )
    assert (done.status, done.reason, done.requests) == ("Completed", "", 3)
    assert (tmp_path / "out/a.csv.out").read_bytes() == b"A\nB\n"
    assert (tmp_path / "out/deep/b.csv.out").read_bytes() == b"C\n"
    headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
    assert container.got == [(b"a\n", headers), (b"b\n", headers), (b"c\n", headers)]
    done.refuse_unless_complete()


def test_a_file_that_the_container_refuses_fails_the_job_and_not_the_other_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = Container(Reply(400, b"no header\nin line 1", "text/plain"))
    done = transform(monkeypatch, tmp_path, container)
    assert (done.status, done.reason) == (
        "Failed",
        "ClientError: See job logs for more information",
    )
    assert done.messages == (
        "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD",
        "a.csv: ClientError: 400",
        "a.csv: ",
        "a.csv: Message:",
        "a.csv: no header",
        "a.csv: in line 1",
    )
    assert done.outputs == (str(tmp_path / "out/deep/b.csv.out"),)
    with pytest.raises(TwinforgeError, match="last line"):
        done.refuse_unless_complete()


def test_what_failed_is_sent_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    container = Container(httpx.ReadTimeout("slow"), Reply(500, b"", ""), Reply(200, b"ok", ""))
    done = transform(monkeypatch, tmp_path, container)
    assert done.status == "Completed"
    assert (tmp_path / "out/a.csv.out").read_bytes() == b"ok"
    assert len(container.got) == 4


def test_what_fails_every_time_fails_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = Container(*[Reply(500, b"out of memory", "")] * 4)
    done = transform(monkeypatch, tmp_path, container)
    assert done.reason == "AlgorithmError: See job logs for more information"
    assert "a.csv: Bad HTTP status received from algorithm: 500" in done.messages
    assert len(container.got) == 5


def test_the_container_is_told_what_was_asked_for_only() -> None:
    asked = Transform(source="a", output="b", content_type="text/csv")
    assert transform_env(asked) == {"SAGEMAKER_BATCH": "true"}
    more = replace(asked, strategy="SingleRecord", max_payload_mb=0, at_once=4)
    assert transform_env(more) == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4",
    }
