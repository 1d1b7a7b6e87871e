from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.engine.identity import find_rival, is_our_dockerd, read_pid

if TYPE_CHECKING:
    from pathlib import Path


def add_process(proc: Path, pid: int, program: str, *arguments: str, net: str = "net:[1]") -> None:
    folder = proc / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "comm").write_text(f"{program}\n")
    (folder / "cmdline").write_bytes(b"".join(f"{word}\0".encode() for word in arguments))
    (folder / "ns" / "net").symlink_to(net)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    add_process(folder, 1, "init", "/sbin/init")
    (folder / "self").symlink_to("1")
    (folder / "meminfo").touch()
    return folder


def test_ours_is_the_dockerd_with_our_pid_file(proc: Path, tmp_path: Path) -> None:
    ours = tmp_path / "dockerd.pid"
    add_process(proc, 7, "dockerd", "dockerd", f"--pidfile={ours}")
    assert is_our_dockerd(7, ours, proc=proc)
    assert not is_our_dockerd(7, tmp_path / "other.pid", proc=proc)


@pytest.mark.parametrize("program", ["sleep", "dockerd-proxy", "containerd"])
def test_a_pid_that_another_program_has_by_now_is_not_ours(
    program: str, proc: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "dockerd.pid"
    add_process(proc, 7, program, program, f"--pidfile={ours}")
    assert not is_our_dockerd(7, ours, proc=proc)


def test_a_process_that_ended_or_never_was_is_not_ours(proc: Path, tmp_path: Path) -> None:
    ours = tmp_path / "dockerd.pid"
    add_process(proc, 7, "dockerd")
    assert not is_our_dockerd(7, ours, proc=proc)
    assert not is_our_dockerd(8, ours, proc=proc)
    assert not is_our_dockerd(0, ours, proc=proc)


def test_a_rival_shares_our_network_and_is_not_ours(proc: Path, tmp_path: Path) -> None:
    ours = tmp_path / "dockerd.pid"
    add_process(proc, 7, "dockerd", "dockerd", f"--pidfile={ours}")
    add_process(proc, 8, "dockerd", "dockerd", net="net:[2]")
    add_process(proc, 9, "python", "dockerd")
    assert find_rival(ours, proc=proc) == 0
    add_process(proc, 10, "dockerd", "/usr/sbin/dockerd")
    assert find_rival(ours, proc=proc) == 10


@pytest.mark.parametrize(
    ("content", "pid"), [(b"42\n", 42), (b"", 0), (b"-1", 0), (b"x", 0), (b"\xff", 0)]
)
def test_a_pid_file_holds_a_pid_or_counts_as_none(content: bytes, pid: int, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert read_pid(file) == 0
    file.write_bytes(content)
    assert read_pid(file) == pid
