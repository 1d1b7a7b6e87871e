from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.desk import Box, Table, make_table
from twinforge.errors import DeployError, SmokeError, TwinforgeError, UsageError
from twinforge.sagemaker.local import endpoint as module
from twinforge.sagemaker.local.endpoint import Serving, check_serving, serving
from twinforge.sagemaker.local.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.smoke.serving import Server

LIMITS = Limits(2, 4 << 30, gpus=False, notes=())


def serves(box: Box, _: float) -> int | None:
    return 0 if box.was_told_to_end else None


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A desk whose containers answer every ping, unless they have ended."""

    def wait_for_ping(server: Server, *, within_s: float, ping_s: float) -> float:
        assert (within_s, ping_s) == (480.0, 2.0)
        status = server.exit_status()
        if status is not None:
            message = f"'serve' ended with status {status} before /ping said 200"
            raise SmokeError(message)
        return 0.5

    monkeypatch.setattr(module, "wait_for_ping", wait_for_ping)
    return make_table(serves)


@pytest.fixture
def asked(tmp_path: Path) -> Serving:
    (tmp_path / "model/deep").mkdir(parents=True)
    (tmp_path / "model/weights").write_text("w")
    (tmp_path / "model/deep/config.json").write_text("{}")
    return Serving(
        kind="endpoint",
        name="words",
        recipe="words",
        variant="cpu",
        image_id="sha256:0",
        instance="ml.m5.large",
        model=str(tmp_path / "model"),
        max_bytes=1000,
        startup_s=480.0,
    )


def tarball(path: Path, *members: tarfile.TarInfo) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for one in members:
            tar.addfile(one, io.BytesIO(bytes(one.size)))
    return str(path)


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, "/etc/passwd"
    return made


def test_the_model_is_there_read_only_before_the_container_starts(
    table: Table, asked: Serving
) -> None:
    with serving(table.means, asked, LIMITS, keep=False) as hosted:
        box = table.desk.boxes[hosted.box]
        assert box.files == {
            "/opt/ml/model/weights": b"w",
            "/opt/ml/model/deep/config.json": b"{}",
        }
        (mount,) = box.spec.mounts
        assert (mount.place, mount.read_only) == ("/opt/ml/model", True)
        assert (box.spec.command, box.spec.port, box.spec.network) == (("serve",), 8080, "bridge")
        assert (box.spec.cpus, box.spec.memory_bytes) == (2, 4 << 30)
        assert len(table.desk.boxes) == 1
    assert [name for _, name in box.signals] == ["SIGTERM"]
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}


def test_what_is_to_stay_stays(table: Table, asked: Serving) -> None:
    with serving(table.means, asked, LIMITS, keep=True) as hosted:
        pass
    assert table.desk.boxes[hosted.box].signals == []
    assert len(table.desk.volumes) == 1


def test_a_container_that_ignores_sigterm_is_killed_after_30_seconds(
    table: Table, asked: Serving
) -> None:
    table.desk.program = lambda *_: None
    with serving(table.means, asked, LIMITS, keep=False) as hosted:
        box = table.desk.boxes[hosted.box]
    (termed, term), (killed, kill) = box.signals
    assert (term, kill) == ("SIGTERM", "SIGKILL")
    assert killed - termed == pytest.approx(30, abs=1)


def test_ctrl_c_ends_it_as_a_stop_does(table: Table, asked: Serving) -> None:
    boxes: list[Box] = []

    def interrupted() -> None:
        with serving(table.means, asked, LIMITS, keep=True) as hosted:
            boxes.append(table.desk.boxes[hosted.box])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [name for _, name in boxes[0].signals] == ["SIGTERM"]
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}


def test_serve_that_can_not_be_run_is_told_as_the_service_tells_it(
    table: Table, asked: Serving
) -> None:
    table.desk.refuses_start = 'exec: "serve": executable file not found in $PATH'
    with (
        pytest.raises(DeployError) as caught,
        serving(table.means, asked, LIMITS, keep=True),
    ):
        pass
    assert caught.value.message.startswith("CannotStartContainerError. Please ensure the model")
    assert caught.value.message.endswith("executable file not found in $PATH")
    assert table.desk.boxes == {}


def test_serve_that_ends_at_once_is_told_with_its_last_lines(table: Table, asked: Serving) -> None:
    def program(box: Box, _: float) -> int:
        box.printed = ["loading", "no such weights"]
        return 1

    table.desk.program = program
    with (
        pytest.raises(DeployError) as caught,
        serving(table.means, asked, LIMITS, keep=True),
    ):
        pass
    first, reason, *lines = caught.value.message.splitlines()
    assert first == (
        "The primary container for production variant AllTraffic did not pass the ping health "
        "check. Please check CloudWatch logs for this endpoint."
    )
    assert reason == "reason: 'serve' ended with status 1 before /ping said 200"
    assert lines == ["  | loading", "  | no such weights"]
    assert table.desk.volumes == {}


def test_serve_that_needs_too_much_memory_to_begin_is_told_so(table: Table, asked: Serving) -> None:
    def program(box: Box, _: float) -> int:
        box.was_out_of_memory = True
        return 137

    table.desk.program = program
    with (
        pytest.raises(DeployError, match="'serve' ended with status 137") as caught,
        serving(table.means, asked, LIMITS, keep=True),
    ):
        pass
    assert caught.value.hint == "the container needed more memory than its instance type has"


def test_a_tarball_is_unpacked_for_the_container(
    table: Table, asked: Serving, tmp_path: Path
) -> None:
    model = tarball(tmp_path / "model.tar.gz", member("weights", size=3))
    with serving(table.means, replace(asked, model=model), LIMITS, keep=False) as hosted:
        assert table.desk.boxes[hosted.box].files == {"/opt/ml/model/weights": bytes(3)}


def test_a_tarball_in_s3_is_fetched(table: Table, asked: Serving, tmp_path: Path) -> None:
    path = tarball(tmp_path / "model.tar.gz", member("weights", size=3))
    table.storage.objects["bucket/a/model.tar.gz"] = (tmp_path / "model.tar.gz").read_bytes()
    assert path
    where = replace(asked, model="s3://bucket/a/model.tar.gz")
    with serving(table.means, where, LIMITS, keep=False) as hosted:
        assert table.desk.boxes[hosted.box].files == {"/opt/ml/model/weights": bytes(3)}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (member("link", tarfile.SYMTYPE), "holds 'link', which is a link"),
        (member("hard", tarfile.LNKTYPE), "holds 'hard', which is a link"),
        (member("../outside"), "holds '../outside', which lies outside its folder"),
        (member("/etc/cron.d/x"), "holds '/etc/cron.d/x', which lies outside its folder"),
        (member("big", size=1001), "bigger than 1,000 bytes"),
    ],
    ids=["link", "hard-link", "parent", "absolute", "big"],
)
def test_a_tarball_that_the_service_would_not_take_is_refused(
    table: Table, asked: Serving, tmp_path: Path, one: tarfile.TarInfo, said: str
) -> None:
    model = tarball(tmp_path / "model.tar.gz", one)
    with (
        pytest.raises(TwinforgeError, match=said),
        serving(table.means, replace(asked, model=model), LIMITS, keep=True),
    ):
        pass
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}


def test_a_folder_with_a_link_is_refused(table: Table, asked: Serving, tmp_path: Path) -> None:
    (tmp_path / "model/latest").symlink_to("weights")
    with (
        pytest.raises(UsageError, match="'latest', which is a link"),
        serving(table.means, asked, LIMITS, keep=True),
    ):
        pass


def test_a_model_that_is_not_there_is_refused(table: Table, asked: Serving) -> None:
    with (
        pytest.raises(UsageError, match="there is no model 'absent'"),
        serving(table.means, replace(asked, model="absent"), LIMITS, keep=True),
    ):
        pass
    assert table.desk.boxes == {}


def test_a_name_that_is_taken_is_refused_and_the_first_goes_on(
    table: Table, asked: Serving
) -> None:
    with serving(table.means, asked, LIMITS, keep=False) as hosted:
        with (
            pytest.raises(UsageError, match="has the endpoint words already"),
            serving(table.means, asked, LIMITS, keep=False),
        ):
            pass
        assert hosted.box in table.desk.boxes
        assert len(table.desk.volumes) == 1
        other = replace(asked, name="words-2")
        with serving(table.means, other, LIMITS, keep=False):
            assert len(table.desk.boxes) == 2


def test_names_and_variables_that_the_service_would_refuse_are_named(asked: Serving) -> None:
    check_serving(asked)
    with pytest.raises(TwinforgeError) as caught:
        check_serving(replace(asked, name="my words", env={"1st": "x"}))
    assert "my words" in caught.value.message
    assert "1st" in caught.value.message
