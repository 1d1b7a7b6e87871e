from __future__ import annotations

import os
from pathlib import Path

from twinforge.engine.daemon import Daemon, stop_daemon


def test_all_of_a_daemon_lies_below_its_folder() -> None:
    daemon = Daemon(Path("/var/lib/twinforge"))
    assert daemon.host == "unix:///var/lib/twinforge/run/docker.sock"
    assert daemon.argv("/usr/sbin/dockerd") == (
        "/usr/sbin/dockerd",
        "--config-file=/var/lib/twinforge/daemon.json",
        "--data-root=/var/lib/twinforge/data",
        "--exec-root=/var/lib/twinforge/run/exec",
        "--host=unix:///var/lib/twinforge/run/docker.sock",
        "--pidfile=/var/lib/twinforge/run/dockerd.pid",
    )


def test_a_long_folder_gets_a_short_place_for_its_sockets() -> None:
    first, second = (Daemon(Path("/") / ("x" * 90) / name) for name in ("a", "b"))
    assert len(str(first.socket)) < 100
    assert first.socket != second.socket
    assert first.socket == Daemon(first.root).socket


def test_a_pid_file_that_names_another_process_stops_nothing(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "d")
    daemon.run_dir.mkdir(parents=True, exist_ok=True)
    try:
        daemon.pid_file.write_text(str(os.getpid()))
        assert daemon.pid() == 0
        assert not stop_daemon(daemon)
    finally:
        daemon.pid_file.unlink()
