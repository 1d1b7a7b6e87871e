from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twinforge import process
from twinforge.build.buildkit import BuildSpec, Buildx, VariantFailedError, build_argv
from twinforge.build.progress import Failure
from twinforge.engine.engine import Engine
from twinforge.errors import BuildError, CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2"
ENV = {
    "PATH": "/usr/bin",
    "DOCKER_HOST": "unix:///engine.sock",
    "HTTPS_PROXY": f"http://user:{SECRET}@proxy.example.com:3128",
    "no_proxy": "localhost",
    "HTTP_PROXY": "",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}
ENGINE = Engine("unix:///engine.sock", False, "/usr/bin/docker", "20.10.24", "0.13.1", ENV)  # noqa: FBT003 - whose it is
SPEC = BuildSpec(
    name="digits/cpu-py3.11-debian12",
    folder=Path("/p/staged/contexts/digits/cpu-py3.11-debian12"),
    contexts={
        "twinforge/base:debian-12": "docker-image://twinforge/base:debian-12-0123456789ab",
        "program": "/p/staged/digits-0123",
    },
    secrets={"ca": Path("/etc/ssl/ca.pem"), "netrc": Path("/root/.netrc")},
    labels={"io.twinforge.key": "k" * 64},
    tags=("ml/digits:key-0123456789abcdef",),
    epoch=946684800,
)
STREAMS = Path(__file__).parent / "rawjson"


class Child:
    """Stands in for :func:`twinforge.process.stream`: prints, writes the metadata, ends."""

    def __init__(
        self, *lines: str, status: int = 0, metadata: dict[str, Any] | None = None
    ) -> None:
        self.lines, self.status, self.metadata = lines, status, metadata
        self.argv: list[str] = []
        self.env: dict[str, str] = {}
        self.cancelled: threading.Event | None = None

    def __call__(
        self,
        argv: list[str],
        *,
        on_line: Callable[[str], None],
        env: dict[str, str],
        cancelled: threading.Event,
        check: bool,
    ) -> int:
        assert not check
        self.argv, self.env, self.cancelled = argv, env, cancelled
        for line in self.lines:
            on_line(line)
        if self.metadata is not None:
            path = Path(argv[argv.index("--metadata-file") + 1])
            path.write_text(json.dumps(self.metadata), "utf-8")
        return self.status


def build(
    child: Child,
    monkeypatch: pytest.MonkeyPatch,
    *,
    builder: str = "",
    cancelled: threading.Event | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> str:
    monkeypatch.setattr(process, "stream", child)
    return Buildx(ENGINE, builder).build(
        SPEC, log=log, on_step=lambda *_: None, cancelled=cancelled or threading.Event()
    )


def test_side_by_side_an_image_is_made_first_and_taken_over_in_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = threading.Lock()
    runs: list[tuple[list[str], bool]] = []

    class Watched(Child):
        def __call__(self, argv: list[str], **options: Any) -> int:
            runs.append((argv, turn.locked()))
            return super().__call__(argv, **options)

    image = {"containerimage.config.digest": "sha256:1"}
    children = iter((Watched(), Watched(metadata=image)))

    def stream(argv: list[str], **options: Any) -> int:
        return next(children)(argv, **options)

    monkeypatch.setattr(process, "stream", stream)
    image_id = Buildx(ENGINE, turn=turn).build(
        SPEC, log=lambda _: None, on_step=lambda *_: None, cancelled=threading.Event()
    )
    assert image_id == "sha256:1"
    (first, held_first), (second, held_second) = runs
    assert (held_first, held_second) == (False, True)
    assert not turn.locked()
    assert first[first.index("--output") + 1] == "type=cacheonly"
    assert "--load" not in first
    assert "--tag" not in first
    assert "--load" in second
    assert second[second.index("--tag") + 1] == SPEC.tags[0]


def test_who_leads_has_its_turn_from_the_start_and_is_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = threading.Lock()
    held: list[bool] = []
    child = Child(metadata={"containerimage.config.digest": "sha256:1"})

    def stream(argv: list[str], **options: Any) -> int:
        held.append(turn.locked())
        assert "--load" in argv
        return child(argv, **options)

    monkeypatch.setattr(process, "stream", stream)
    Buildx(ENGINE, turn=turn, leads=True).build(
        SPEC, log=lambda _: None, on_step=lambda *_: None, cancelled=threading.Event()
    )
    assert held == [True]
    assert not turn.locked()


def test_what_fails_to_build_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = threading.Lock()
    monkeypatch.setattr(process, "stream", Child(status=1))
    with pytest.raises(VariantFailedError):
        Buildx(ENGINE, turn=turn).build(
            SPEC, log=lambda _: None, on_step=lambda *_: None, cancelled=threading.Event()
        )
    assert not turn.locked()


def test_the_command_of_a_build_is_this_one() -> None:
    argv = build_argv(
        SPEC,
        docker="/usr/bin/docker",
        builder="remote",
        metadata=Path("/scratch/metadata.json"),
        proxies=("HTTPS_PROXY", "no_proxy"),
    )
    assert argv == [
        "/usr/bin/docker",
        "buildx",
        "build",
        "--progress=rawjson",
        "--provenance=false",
        "--sbom=false",
        "--builder",
        "remote",
        "--platform",
        "linux/amd64",
        "--load",
        "--metadata-file",
        "/scratch/metadata.json",
        "--build-arg",
        "SOURCE_DATE_EPOCH=946684800",
        "--build-arg",
        "HTTPS_PROXY",
        "--build-arg",
        "no_proxy",
        "--build-context",
        "twinforge/base:debian-12=docker-image://twinforge/base:debian-12-0123456789ab",
        "--build-context",
        "program=/p/staged/digits-0123",
        "--secret",
        "id=ca,src=/etc/ssl/ca.pem",
        "--secret",
        "id=netrc,src=/root/.netrc",
        "--label",
        f"io.twinforge.key={'k' * 64}",
        "--tag",
        "ml/digits:key-0123456789abcdef",
        "/p/staged/contexts/digits/cpu-py3.11-debian12",
    ]


def test_the_current_builder_is_not_named() -> None:
    argv = build_argv(SPEC, docker="docker", builder="", metadata=Path("m"))
    assert "--builder" not in argv


def test_a_secret_whose_path_holds_what_separates_fields_stays_one_field() -> None:
    spec = BuildSpec("n", Path("/c"), {}, {"ca": Path('/a,b "c"/ca.pem')}, {}, (), 0)
    argv = build_argv(spec, docker="docker", builder="", metadata=Path("m"))
    assert argv[argv.index("--secret") + 1] == 'id=ca,"src=/a,b ""c""/ca.pem"'


def test_a_build_returns_the_id_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(
        metadata={"containerimage.config.digest": "sha256:c", "containerimage.digest": "sha256:m"}
    )
    assert build(child, monkeypatch, builder="mine") == "sha256:c"
    assert child.argv[child.argv.index("--builder") + 1] == "mine"


def test_a_builder_that_tells_no_config_tells_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(metadata={"containerimage.digest": "sha256:m"})
    assert build(child, monkeypatch) == "sha256:m"


def test_no_secret_is_in_the_command_and_proxies_are_there_by_name_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = Child(metadata={"containerimage.digest": "sha256:m"})
    build(child, monkeypatch)
    assert SECRET not in " ".join(child.argv)
    given = [
        value
        for flag, value in zip(child.argv, child.argv[1:], strict=False)
        if flag == "--build-arg"
    ]
    assert given == ["SOURCE_DATE_EPOCH=946684800", "HTTPS_PROXY", "no_proxy"]


def test_the_child_gets_the_engines_environment_and_makes_no_attestation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = Child(metadata={"containerimage.digest": "sha256:m"})
    build(child, monkeypatch)
    assert child.env == {**ENV, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_GIT_INFO": "0"}


def test_a_failure_names_variant_stage_line_reason_and_last_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = (STREAMS / "failed.txt").read_text("utf-8").splitlines()
    log: list[str] = []
    with pytest.raises(VariantFailedError) as caught:
        build(Child(*lines, status=1), monkeypatch, log=log.append)
    assert caught.value.message == (
        "digits/cpu-py3.11-debian12 failed in stage 'wheels-common', "
        "cpu-py3.11-debian12/Dockerfile:8: exit code: 3: canceled is only a word"
    )
    assert caught.value.failure.output.split("\n") == [
        "last words",
        "first",
        "canceled is only a word",
    ]
    assert isinstance(caught.value, BuildError)
    assert "  last words" in log


def test_a_failure_before_any_stage_says_what_buildx_said(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child('ERROR: no builder "x" found', status=1)
    with pytest.raises(
        VariantFailedError, match=r'^digits/cpu-py3\.11-debian12 failed: no builder "x" found$'
    ):
        build(child, monkeypatch)


def test_a_failure_without_a_word_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VariantFailedError, match=r"failed: no reason given$"):
        build(Child(status=-9), monkeypatch)


def test_a_build_that_was_told_to_stop_was_cancelled_and_has_not_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cancelled = threading.Event()
    cancelled.set()
    child = Child("ERROR: failed to solve: Canceled: context canceled", status=-15)
    with pytest.raises(VariantFailedError, match=r"debian12 was cancelled$") as caught:
        build(child, monkeypatch, cancelled=cancelled)
    assert child.cancelled is cancelled
    assert caught.value.failure == Failure("", 0, "cancelled", "")


def test_a_build_that_ended_before_it_was_told_to_stop_is_a_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cancelled = threading.Event()
    cancelled.set()
    child = Child(metadata={"containerimage.config.digest": "sha256:c"})
    assert build(child, monkeypatch, cancelled=cancelled) == "sha256:c"


def test_a_build_that_failed_before_it_was_told_to_stop_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(VariantFailedError, match="failed: no space"):
        build(Child("ERROR: no space", status=1), monkeypatch, cancelled=cancelled)


@pytest.mark.parametrize(
    ("builder", "argv"),
    [
        ("", ["/usr/bin/docker", "buildx", "inspect"]),
        ("mine", ["/usr/bin/docker", "buildx", "inspect", "mine"]),
    ],
)
def test_the_driver_is_the_one_that_buildx_tells(
    monkeypatch: pytest.MonkeyPatch, builder: str, argv: list[str]
) -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], *, env: dict[str, str]) -> process.Completed:
        assert env is ENV
        asked.append(argv)
        shown = "Name:   mine\nDriver: docker-container\n\nNodes:\nName: mine0\n"
        return process.Completed(tuple(argv), 0, shown, "")

    monkeypatch.setattr(process, "run", run)
    assert Buildx(ENGINE, builder).driver() == "docker-container"
    assert asked == [argv]


def test_what_the_builder_can_not_run_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # BuildKit on an engine without an emulator
    lines = (STREAMS / "foreign.txt").read_text("utf-8").splitlines()
    monkeypatch.setattr(process, "stream", Child(*lines, status=1))
    spec = replace(SPEC, platform="linux/arm64")
    with pytest.raises(VariantFailedError) as caught:
        Buildx(ENGINE).build(
            spec, log=lambda _: None, on_step=lambda *_: None, cancelled=threading.Event()
        )
    assert caught.value.hint.startswith("the builder runs no linux/arm64: install an emulator")
    argv = build_argv(spec, docker="docker", builder="", metadata=None)
    assert argv[argv.index("--platform") + 1] == "linux/arm64"


def test_a_builder_that_is_not_there_is_wrong_usage_and_the_engine_s_own_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(argv: list[str], **_: object) -> process.Completed:
        raise CommandError(argv, 1, 'ERROR: no builder "x" found\n')

    monkeypatch.setattr(process, "run", run)
    with pytest.raises(
        UsageError, match=r"^the builder 'x' can't be used: no builder \"x\" found$"
    ):
        Buildx(ENGINE, "x").driver()
    with pytest.raises(CommandError):
        Buildx(ENGINE).driver()
