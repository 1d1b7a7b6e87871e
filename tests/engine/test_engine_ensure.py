"""The engine of the machine is used as it is; one of our own starts, serves and ends beside it.

Run as a program (``python test_engine_ensure.py FOLDER``) this file is what the tests start inside
a network of its own, so that the second engine takes no address of the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.engine.daemon import Daemon, answers
from twinforge.engine.engine import (
    Settings,
    engine_status,
    ensure_engine,
    find_engine,
    stop_engine,
)
from twinforge.engine.images import Images
from twinforge.errors import MissingToolError, TwinforgeError
from twinforge.events import Event, State, ignore

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

# Where the machine has an engine of its own on Docker's default socket, the child must not see it.
HIDE = "if [ -S /var/run/docker.sock ]; then mount --bind /dev/null /var/run/docker.sock; fi"
IN_OWN_NETWORK = ("unshare", "--net", "--mount", "sh", "-c", f'{HIDE}; exec "$@"', "sh")


def cycle(folder: Path) -> dict[str, Any]:
    """Take an engine of our own through its life, and return what was seen."""
    environ = {k: v for k, v in os.environ.items() if k not in {"DOCKER_HOST", "DOCKER_CONTEXT"}}
    environ["DOCKER_CONFIG"] = str(folder / "config")
    settings = Settings(environ, folder / "own")
    daemon = Daemon(settings.state_dir)
    seen: dict[str, Any] = {"before": find_engine(settings) is not None}
    # The process that starts it ends at once; its engine must not.
    starter = [sys.executable, __file__, str(folder), "ensure"]
    subprocess.run(starter, check=True, env=environ)
    seen["status"] = asdict(engine_status(settings))
    pid = daemon.pid()
    seen["is_in_our_session"] = os.getsid(pid) == os.getsid(0)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: ensure_engine(settings, ignore), range(2)))
    seen["same"] = both[0] == both[1] and daemon.pid() == pid
    seen["env"] = {k: both[0].env.get(k) for k in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    named = replace(settings, environ={**environ, "DOCKER_HOST": daemon.host})
    seen["ours_when_named"] = ensure_engine(named, ignore).ours
    seen["rival"] = refusal(replace(settings, state_dir=folder / "second")).message
    seen["stopped"] = [stop_engine(settings, ignore), stop_engine(settings, ignore)]
    seen["pid_after"] = daemon.pid()
    seen["answers_after"] = answers(daemon.socket)
    seen["data_kept"] = (daemon.data_dir / "image").is_dir()
    seen["again"] = ensure_engine(named, ignore).ours and stop_engine(settings, ignore)
    seen["foreign_survives"] = foreign_survives(settings, daemon)
    seen["broken"] = broken(settings, folder / "broken")
    seen["pid"] = pid
    return seen


def foreign_survives(settings: Settings, daemon: Daemon) -> bool:
    """Let another process have the pid that our file names, and try to stop our engine."""
    with subprocess.Popen(["sleep", "60"]) as foreign:
        daemon.pid_file.write_text(str(foreign.pid))
        stopped = stop_engine(settings, ignore)
        is_alive = foreign.poll() is None
        foreign.kill()
    return is_alive and not stopped


def broken(settings: Settings, state_dir: Path) -> dict[str, str]:
    """Try to start an engine whose configuration it refuses."""
    state_dir.mkdir()
    (state_dir / "daemon.json").write_text('{"no-such-option": true}')
    error = refusal(replace(settings, state_dir=state_dir))
    return {"message": error.message, "hint": error.hint}


def refusal(settings: Settings) -> TwinforgeError:
    try:
        ensure_engine(settings, ignore)
    except MissingToolError as error:
        return error
    message = "no error came"
    raise AssertionError(message)


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    # Not pytest's own folder: its long names would leave no room for a socket's.
    with tempfile.TemporaryDirectory(prefix="tf") as folder:
        argv = [*IN_OWN_NETWORK, sys.executable, __file__, folder]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(dict(os.environ), tmp_path / "state")


def test_an_engine_that_answers_is_used_as_it_is(here: Settings) -> None:
    events: list[Event] = []
    before = engine_status(here)
    engine = ensure_engine(here, events.append)
    assert engine.host == before.host
    assert engine.version == before.version
    assert engine.buildx
    assert not engine.ours or before.ours
    assert [event.state for event in events] == [State.DONE]
    assert not here.state_dir.exists()
    assert engine == find_engine(here)


def test_stopping_leaves_an_engine_alone_that_we_did_not_start(here: Settings) -> None:
    assert not stop_engine(here, ignore)
    assert engine_status(here).reachable


def test_a_host_that_was_chosen_and_does_not_answer_is_an_error(here: Settings) -> None:
    named = replace(here, environ={**here.environ, "DOCKER_HOST": "unix:///no/such.sock"})
    with pytest.raises(MissingToolError, match=r"'unix:///no/such.sock', which DOCKER_HOST names"):
        ensure_engine(named, ignore)
    assert find_engine(named) is None
    assert not here.state_dir.exists()


def test_a_context_that_does_not_exist_is_an_error_that_names_it(here: Settings) -> None:
    environ = {k: v for k, v in here.environ.items() if k != "DOCKER_HOST"}
    named = replace(here, environ={**environ, "DOCKER_CONTEXT": "no-such-context"})
    with pytest.raises(MissingToolError, match="no-such-context"):
        ensure_engine(named, ignore)


def test_our_own_engine_answers_after_the_process_that_started_it_has_ended(
    seen: dict[str, Any],
) -> None:
    status = seen["status"]
    assert not seen["before"]
    assert status["reachable"]
    assert status["ours"]
    assert status["pid"] == seen["pid"] > 0
    assert status["buildx"]
    assert status["data_dir"].endswith("/own/data")
    assert not seen["is_in_our_session"]


def test_ensuring_again_and_twice_at_once_gives_the_same_engine(seen: dict[str, Any]) -> None:
    assert seen["same"]
    assert seen["ours_when_named"]
    assert seen["env"] == {"DOCKER_HOST": seen["status"]["host"], "DOCKER_CONTEXT": None}


def test_no_second_engine_starts_in_the_same_network(seen: dict[str, Any]) -> None:
    assert f"(pid {seen['pid']})" in seen["rival"]


def test_stopping_ends_it_once_and_keeps_its_data(seen: dict[str, Any]) -> None:
    assert seen["stopped"] == [True, False]
    assert seen["pid_after"] == 0
    assert not seen["answers_after"]
    assert seen["data_kept"]
    assert seen["again"]


def test_stopping_never_ends_a_process_that_has_the_pid_by_now(seen: dict[str, Any]) -> None:
    assert seen["foreign_survives"]


def test_a_dockerd_that_does_not_start_shows_the_end_of_its_log(seen: dict[str, Any]) -> None:
    assert seen["broken"]["message"] == "dockerd ended before it answered"
    assert "no-such-option" in seen["broken"]["hint"]


@pytest.mark.usefixtures("seen")
def test_the_engine_of_the_machine_answers_after_ours_has_ended(here: Settings) -> None:
    assert engine_status(here).reachable


@pytest.fixture
def images(here: Settings) -> Iterator[Images]:
    with Images(ensure_engine(here, ignore)) as opened:
        yield opened


def test_an_image_is_loaded_found_tagged_saved_and_removed(images: Images, tmp_path: Path) -> None:
    first, second = "twinforge-test/images:first", "twinforge-test/images:second"
    archive = tmp_path / "image.tar"
    image_id = build_small(images, first, tmp_path / "context")
    try:
        images.tag(image_id, second)
        found = images.inspect(second)
        assert found is not None
        assert set(found.tags) == {first, second}
        assert images.by_label("io.twinforge.test") == {"images": found.id}
        archive.write_bytes(b"".join(images.save([first, second])))
        images.remove(first)
        images.remove(second)
        assert images.inspect(image_id) is None
        images.load(archive)
        assert images.inspect(first) == found
        with pytest.raises(TwinforgeError, match="refuses the archive"):
            images.load(iter([b"no archive" * 1000]))
    finally:
        images.remove(first)
        images.remove(second)


def test_saving_what_is_not_there_is_an_error(images: Images) -> None:
    with pytest.raises(TwinforgeError, match=r"saving twinforge-test/none:1"):
        list(images.save(["twinforge-test/none:1"]))


def build_small(images: Images, reference: str, folder: Path) -> str:
    """Make an image of one file and one label, with the engine's own CLI."""
    engine = images._engine
    folder.mkdir()
    (folder / "file").write_text("content")
    dockerfile = "FROM scratch\nCOPY file /file\nLABEL io.twinforge.test=images\n"
    (folder / "Dockerfile").write_text(dockerfile)
    argv = [engine.docker, "buildx", "build", "--quiet", "--load", "--tag", reference, str(folder)]
    subprocess.run(argv, env=dict(engine.env), check=True, capture_output=True)
    image = images.inspect(reference)
    assert image is not None
    assert len(image.layers) == 1
    return image.id


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["ensure"]:
        ensure_engine(Settings(dict(os.environ), folder / "own"), ignore)
    else:
        sys.stdout.write(json.dumps(cycle(folder), default=str))


if __name__ == "__main__":
    main()
