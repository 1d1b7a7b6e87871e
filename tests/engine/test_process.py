from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from twinforge import process
from twinforge.errors import CommandError, MissingToolError

pytestmark = pytest.mark.engine

FOREVER = "import time\nprint('ready', flush=True)\ntime.sleep(600)"
# Leader and grandchild write their ids; the shell waits for the sleeper as `docker` does for buildx.
FAMILY = 'echo $$ > "$1/leader"; sleep 600 & echo $! > "$1/grandchild"; echo ready; wait'
DEADLINE_S = 20.0


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def family(folder: Path) -> list[str]:
    return ["sh", "-c", FAMILY, "sh", str(folder)]


def is_running(pid: int) -> bool:
    """Whether a process works still: one that waits for a parent to ask for its status does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def assert_family_has_ended(folder: Path) -> None:
    for name in ("leader", "grandchild"):
        pid = int((folder / name).read_text("utf-8"))
        deadline_s = time.monotonic() + DEADLINE_S
        while is_running(pid) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert not is_running(pid), name


def test_run_returns_status_output_and_errors_apart() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = process.run(python(code), check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.argv == tuple(python(code))


def test_a_status_other_than_0_is_an_error_with_the_end_of_what_was_printed() -> None:
    code = "import sys; print('first\\nno space left', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandError, match=r"ended with status 3: no space left$") as caught:
        process.run(python(code))
    assert (caught.value.status, caught.value.output) == (3, "first\nno space left\n")


def test_an_error_shows_the_output_of_a_program_that_prints_no_errors() -> None:
    with pytest.raises(CommandError, match="ended with status 1: only this"):
        process.run(python("import sys; print('only this'); sys.exit(1)"))


def test_a_child_reads_what_it_is_given() -> None:
    big = b"x" * 1_000_000
    done = process.run(python("import sys; print(len(sys.stdin.buffer.read()))"), stdin=big)
    assert done.stdout == "1000000\n"


def test_a_child_that_is_given_nothing_reads_nothing_and_not_our_terminal() -> None:
    done = process.run(python("import sys; print(repr(sys.stdin.read()))"))
    assert done.stdout == "''\n"


def test_a_child_that_does_not_read_is_no_error() -> None:
    assert process.run(python("print('done')"), stdin=b"x" * 1_000_000).stdout == "done\n"


def test_bytes_that_are_no_text_are_replaced() -> None:
    code = r"import sys; sys.stdout.buffer.write(b'\xff\n')"
    assert process.run(python(code)).stdout == "\N{REPLACEMENT CHARACTER}\n"


def test_environment_and_folder_are_what_was_said(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('ONLY'), 'HOME' in os.environ, os.getcwd())"
    done = process.run(python(code), env={"ONLY": "this"}, cwd=tmp_path)
    assert done.stdout == f"this False {tmp_path}\n"


def test_no_shell_reads_the_arguments() -> None:
    done = process.run([*python("import sys; print(sys.argv[1])"), "$(id) ; `id` | *"])
    assert done.stdout == "$(id) ; `id` | *\n"


def test_a_program_that_is_missing_is_named() -> None:
    for start in (process.run, lambda argv: process.stream(argv, on_line=print)):
        with pytest.raises(MissingToolError, match="'no-such-program' does not exist"):
            start(["no-such-program"])


def test_a_program_that_may_not_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("not a program")
    with pytest.raises(MissingToolError, match="may not be executed"):
        process.run([str(program)])
    program.chmod(0o755)
    with pytest.raises(MissingToolError, match="not made for this machine"):
        process.run([str(program)])


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        process.run([sys.executable, "-V"], cwd=tmp_path / "absent")


def test_a_timeout_ends_the_child_and_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="ready") as caught:
        process.run(family(tmp_path), timeout_s=1)
    assert caught.value.status < 0
    assert caught.value.hint == "it was stopped after 1 s"
    assert_family_has_ended(tmp_path)


def test_a_child_that_answers_the_timeout_with_success_has_not_succeeded() -> None:
    code = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\ntime.sleep(600)"
    done = process.run(python(code), timeout_s=1, check=False)
    assert done.status == -signal.SIGTERM


def test_a_child_that_left_its_group_and_holds_the_pipes_does_not_hold_us(tmp_path: Path) -> None:
    script = 'setsid sh -c \'echo $$ > "$1/away"; exec sleep 600\' sh "$1" & echo ready; wait'
    try:
        done = process.run(["sh", "-c", script, "sh", str(tmp_path)], timeout_s=1, check=False)
        assert (done.status < 0, done.stdout) == (True, "ready\n")
    finally:
        os.kill(int((tmp_path / "away").read_text()), signal.SIGKILL)


def test_stream_hands_on_each_line_of_output_and_errors_without_its_end() -> None:
    code = "import sys; print('a'); sys.stdout.flush(); print('b\\r', file=sys.stderr)"
    lines: list[str] = []
    assert process.stream(python(code), on_line=lines.append) == 0
    assert lines == ["a", "b"]


def test_stream_hands_on_a_line_before_the_child_has_ended() -> None:
    cancelled = threading.Event()

    def on_line(line: str) -> None:
        assert line == "ready"
        cancelled.set()

    process.stream(python(FOREVER), on_line=on_line, cancelled=cancelled, check=False)


def test_stream_keeps_the_last_forty_lines_for_the_error() -> None:
    code = "import sys\nfor i in range(100): print(i)\nsys.exit(5)"
    with pytest.raises(CommandError, match="status 5: 99") as caught:
        process.stream(python(code), on_line=lambda _: None)
    assert caught.value.output.splitlines() == [str(i) for i in range(60, 100)]
    assert process.stream(python(code), on_line=lambda _: None, check=False) == 5


def test_a_cancelled_stream_ends_the_child_and_its_grandchildren(tmp_path: Path) -> None:
    cancelled = threading.Event()
    status = process.stream(
        family(tmp_path), on_line=lambda _: cancelled.set(), cancelled=cancelled, check=False
    )
    assert status < 0
    assert_family_has_ended(tmp_path)


def test_a_cancelled_child_that_answers_with_success_has_not_succeeded() -> None:
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    cancelled = threading.Event()
    with pytest.raises(CommandError) as caught:
        process.stream(python(code), on_line=lambda _: cancelled.set(), cancelled=cancelled)
    assert caught.value.status == -signal.SIGTERM


def test_a_child_that_has_ended_before_it_was_cancelled_keeps_its_status() -> None:
    cancelled = threading.Event()
    cancelled.clear()
    assert process.stream(python(""), on_line=lambda _: None, cancelled=cancelled) == 0
    cancelled.set()


def test_a_leader_that_has_ended_does_not_save_what_it_left_behind(tmp_path: Path) -> None:
    script = 'echo $$ > "$1/leader"; sleep 600 & echo $! > "$1/grandchild"; echo ready'
    cancelled = threading.Event()

    def on_line(_: str) -> None:
        threading.Timer(0.5, cancelled.set).start()

    argv = ["sh", "-c", script, "sh", str(tmp_path)]
    process.stream(argv, on_line=on_line, cancelled=cancelled, check=False)
    assert_family_has_ended(tmp_path)


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    event = threading.Event()
    process.stream(python(""), on_line=lambda _: None, cancelled=event)
    with pytest.raises(ZeroDivisionError):
        process.stream(python("print('x')"), on_line=lambda _: 1 // 0, cancelled=event)  # type: ignore[arg-type]  # fails on purpose
    assert set(threading.enumerate()) == before


def test_a_listener_that_fails_ends_the_child(tmp_path: Path) -> None:
    def on_line(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError, match="ready"):
        process.stream(family(tmp_path), on_line=on_line)
    assert_family_has_ended(tmp_path)


def test_ctrl_c_ends_a_streamed_child_and_its_grandchildren(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        process.stream(family(tmp_path), on_line=lambda _: _thread.interrupt_main())
    assert_family_has_ended(tmp_path)


def test_ctrl_c_ends_a_run_and_its_grandchildren(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "grandchild").exists():
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        process.run(family(tmp_path))
    assert_family_has_ended(tmp_path)


def test_the_terminals_ctrl_c_does_not_reach_a_child_past_us() -> None:
    code = "import os; print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid())"
    assert process.run(python(code)).stdout == "True True\n"


def stubborn(folder: Path) -> list[str]:
    """A program that ignores TERM, and so does what it starts."""
    script = 'trap "" TERM; echo $$ > "$1/leader"; sleep 600 & echo $! > "$1/grandchild"; echo ready; wait'
    return ["sh", "-c", script, "sh", str(folder)]


def test_a_child_that_ignores_term_is_killed_after_the_pause(tmp_path: Path) -> None:
    with subprocess.Popen(
        stubborn(tmp_path), stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        process.stop(child, grace_s=0.3)
        assert child.returncode == -signal.SIGKILL
    assert_family_has_ended(tmp_path)


def test_stopping_what_has_ended_changes_nothing() -> None:
    with subprocess.Popen(python(""), start_new_session=True) as child:
        child.wait()
        process.stop(child)
        assert child.returncode == 0


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    def on_line(_: str) -> None:
        threading.Timer(0.5, _thread.interrupt_main).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.stream(stubborn(tmp_path), on_line=on_line)
    assert_family_has_ended(tmp_path)
