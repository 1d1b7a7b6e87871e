"""The streams in ``rawjson`` were recorded from buildx 0.13.1 and Docker Engine 20.10."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from twinforge.build.progress import BuildProgress, Failure

STREAMS = Path(__file__).parent / "rawjson"


class Heard:
    """A progress and what it told."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.steps: list[tuple[str, int, int]] = []
        self.progress = BuildProgress(
            self.log.append, lambda name, done, total: self.steps.append((name, done, total))
        )

    def feed(self, *lines: str) -> None:
        for line in lines:
            self.progress.feed(line)


def indented(name: str) -> list[str]:
    return (STREAMS / f"{name}.txt").read_text("utf-8").splitlines()


def compact(name: str) -> list[str]:
    """Return a stream as buildx writes it since 0.14: one object a line."""
    lines: list[str] = []
    inside: list[str] = []
    for line in indented(name):
        if inside or line == "{":
            inside.append(line)
        if line == "}":
            lines.append(json.dumps(json.loads("".join(inside))))
            inside.clear()
        elif not inside:
            lines.append(line)
    assert len(lines) < len(indented(name))
    return lines


FORMS = pytest.mark.parametrize("form", [indented, compact])


def status(vertex: str = "", *, data: bytes = b"", stream: int = 1, **fields: Any) -> str:
    """Return one line of a stream."""
    document: dict[str, Any] = {}
    if fields:
        document["vertexes"] = [{"digest": vertex, **fields}]
    if data:
        text = base64.b64encode(data).decode()
        document["logs"] = [{"vertex": vertex, "stream": stream, "data": text}]
    return json.dumps(document)


@FORMS
def test_a_failure_gives_stage_line_reason_and_what_was_printed_last(form: Any) -> None:
    heard = Heard()
    heard.feed(*form("failed"))
    assert heard.progress.failure() == Failure(
        "wheels-common", 8, "exit code: 3", "last words\nfirst\ncanceled is only a word"
    )


@FORMS
def test_the_log_holds_every_step_with_what_it_printed(form: Any) -> None:
    heard = Heard()
    heard.feed(*form("built"))
    shown = [line for line in heard.log if "[internal]" not in line]
    assert shown == [
        "> [base 1/1] FROM docker.io/twinforge/base:t1",
        "= [base 1/1] FROM docker.io/twinforge/base:t1",
        "> [a 1/1] RUN echo héllo; printf 'no end'",
        "  héllo",
        "  no end",
        "= [a 1/1] RUN echo héllo; printf 'no end'",
        "> [stage-2 1/1] COPY --link --from=a /etc/hostname /a",
        "= [stage-2 1/1] COPY --link --from=a /etc/hostname /a",
        "> exporting to image",
        "= exporting to image",
    ]


@FORMS
def test_both_forms_of_the_stream_tell_the_same_steps(form: Any) -> None:
    heard = Heard()
    heard.feed(*form("built"))
    assert heard.progress.failure() == Failure("", 0, "", "")
    assert not any(name.startswith("[internal]") for name, _, _ in heard.steps)
    name, done, total = heard.steps[-1]
    assert (name, done) == ("exporting to image", total)
    assert [step[1] for step in heard.steps] == sorted(step[1] for step in heard.steps)


@FORMS
def test_a_dockerfile_that_is_none_fails_without_a_stage(form: Any) -> None:
    heard = Heard()
    heard.feed(*form("parse"))
    failure = heard.progress.failure()
    assert failure == Failure("", 2, failure.message, "")
    assert failure.message.startswith("dockerfile parse error on line 2: unknown instruction: RNU")


@FORMS
def test_a_copy_that_fails_has_printed_nothing(form: Any) -> None:
    heard = Heard()
    heard.feed(*form("copy"))
    failure = heard.progress.failure()
    assert (failure.stage, failure.line) == ("2/2", 3)
    assert failure.message.endswith('"/nothere": not found')
    assert failure.output == ""


@pytest.mark.parametrize(
    "error",
    [
        "context canceled",
        'process "/bin/sh -c sleep" did not complete successfully: exit code: 137: context canceled',
    ],
)
@pytest.mark.parametrize("cancelled_first", [True, False])
def test_what_was_stopped_because_of_a_failure_is_not_the_failure(
    error: str, *, cancelled_first: bool
) -> None:
    heard = Heard()
    failed = status("b", name="[wheels-device 1/2] RUN pip", error="exit code: 1")
    stopped = status("a", name="[wheels-common 1/2] RUN pip", error=error)
    heard.feed(*((stopped, failed) if cancelled_first else (failed, stopped)))
    assert heard.progress.failure().stage == "wheels-device"


def test_of_two_failures_the_first_is_told() -> None:
    heard = Heard()
    heard.feed(
        status("a", name="[one 1/1] RUN x", error="exit code: 1"),
        status("b", name="[two 1/1] RUN y", error="exit code: 2"),
    )
    assert heard.progress.failure().stage == "one"


def test_the_command_of_a_failed_step_is_left_to_the_dockerfile() -> None:
    heard = Heard()
    process = r'process "/bin/sh -euc make \"a\"\nmake b"'
    heard.feed(f"ERROR: failed to solve: {process} did not complete successfully: exit code: 2")
    assert heard.progress.failure().message == "exit code: 2"


def test_the_stage_is_read_from_the_front_of_a_name_only() -> None:
    heard = Heard()
    heard.feed(status("a", name="exporting [layers 1/2]", error="no space left on device"))
    assert heard.progress.failure().stage == "exporting [layers 1/2]"


def test_a_line_that_comes_in_pieces_is_one_line() -> None:
    heard = Heard()
    word = "prêt".encode()
    heard.feed(
        status("a", data=b"E: Unable to lo"),
        status("b", data=b"other\n"),
        status("a", data=b"W: a warning\n", stream=2),
        status("a", data=b"cate " + word[:3]),
        status("a", data=word[3:] + b"\nnext"),
        status("a", name="[system 1/1] RUN x", completed="now", error="exit code: 100"),
    )
    failure = heard.progress.failure()
    assert failure.output == "W: a warning\nE: Unable to locate prêt\nnext"
    assert heard.log[:4] == ["  other", "  W: a warning", "  E: Unable to locate prêt", "  next"]


def test_a_step_that_was_not_run_again_says_so() -> None:
    heard = Heard()
    heard.feed(status("a", name="[a 1/1] RUN x", started="now", completed="now", cached=True))
    assert heard.log == ["> [a 1/1] RUN x", "= [a 1/1] RUN x (cached)"]


def test_only_the_end_of_a_long_output_is_kept_for_the_failure() -> None:
    heard = Heard()
    heard.feed(
        *(status("a", data=f"line {n}\n".encode()) for n in range(100)),
        status("a", name="[a 1/1] RUN x", error="exit code: 1"),
    )
    assert heard.progress.failure().output.split("\n") == [f"line {n}" for n in range(80, 100)]
    assert heard.log[:2] == ["  line 0", "  line 1"]


def test_bytes_that_are_no_text_do_not_stop_a_build() -> None:
    heard = Heard()
    heard.feed(
        status("a", data=b"\xff\xfe\n"),
        '{"logs": [{"vertex": "a", "data": "no base64!"}]}',
        '{"logs": null, "vertexes": null}',
        "[1]",
        "{broken",
    )
    assert heard.log == ["  \ufffd\ufffd", "[1]", "{broken"]


def test_words_of_buildx_itself_are_logged_as_they_are() -> None:
    heard = Heard()
    heard.feed("WARN: no output specified", 'ERROR: no builder "x" found')
    assert heard.log == ["WARN: no output specified", 'ERROR: no builder "x" found']
    assert heard.progress.failure() == Failure("", 0, 'no builder "x" found', "")
