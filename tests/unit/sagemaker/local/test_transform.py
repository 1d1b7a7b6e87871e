from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fakes.desk import make_table
from twinforge.errors import TwinforgeError
from twinforge.sagemaker.local import transform as transforms
from twinforge.sagemaker.local.batch import Transform, check_transform, transform_env
from twinforge.sagemaker.local.endpoint import Serving
from twinforge.sagemaker.local.invoke import Reply
from twinforge.sagemaker.local.records import Batching

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


def test_records_are_filtered_joined_and_filtered_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = Container(*[Reply(200, f"{n}\n".encode(), "text/csv") for n in range(3)])
    monkeypatch.setattr(transforms, "post", container)
    (tmp_path / "rows.csv").write_text("7,a,b\n8,c,d\n\n9,e,f")
    asked = Transform(
        source="",
        output=str(tmp_path),
        content_type="text/csv",
        accept="text/csv",
        split="Line",
        assembly="Line",
        input_filter="$[1:]",
        join="Input",
        output_filter="$[0,-1]",
    )
    table = make_table(lambda *_: None)
    job = transforms._Job(table.means, "rows", asked, Batching(6, 1, "SingleRecord"), URL)
    with ThreadPoolExecutor(1) as pool:
        job.transform("rows.csv", tmp_path / "rows.csv", pool)
    done = job.ended(())
    assert (done.status, done.requests) == ("Completed", 3)
    assert [body for body, _ in container.got] == [b"a,b\n", b"c,d\n", b"e,f"]
    assert (tmp_path / "rows.csv.out").read_bytes() == b"7,0\n8,1\n9,2\n"


def test_answers_that_fit_no_records_fail_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = Container(Reply(200, b"1\n2", "text/csv"), Reply(200, b"1", "text/csv"))
    how = {"split": "Line", "assembly": "Line", "accept": "text/csv", "join": "Input"}
    done = transform(monkeypatch, tmp_path, container, **how)
    assert done.reason == "ClientError: See job logs for more information"
    assert done.outputs == (str(tmp_path / "out/deep/b.csv.out"),)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"input_filter": "$[" + ",".join(["1"] * 40) + "]"}, "82 characters, at most 63"),
        ({"input_filter": "$[1:"}, "not understood"),
        ({"content_type": "text/grün"}, "visible ASCII characters"),
        ({"split": "Recordio"}, "none of SplitType"),
        ({"source": "x", "env": {f"N{n}": "" for n in range(17)}}, "at most 16"),
    ],
)
def test_what_create_transform_job_would_refuse_is_refused(
    changed: dict[str, Any], said: str
) -> None:
    asked = Transform(
        source="a", output="b", content_type="text/csv", split="Line", strategy="SingleRecord"
    )
    env = changed.pop("env", {})
    asked = replace(asked, **changed)
    served = Serving(
        kind="transform",
        name="rows",
        recipe="tiny",
        variant="cpu",
        image_id="sha256:1",
        instance="ml.m5.large",
        model="",
        max_bytes=1,
        startup_s=1.0,
        env={**env, **transform_env(asked)},
    )
    with pytest.raises(TwinforgeError, match=said):
        check_transform(served, asked)
