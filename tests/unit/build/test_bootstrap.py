from __future__ import annotations

import os
import platform
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.build.bootstrap import (
    can_bootstrap_here,
    proxy_environ,
    render_argv,
    run_bootstrap_here,
)
from twinforge.build.mirrors import Mirrors
from twinforge.model.matrix import Bootstrap
from twinforge.model.recipe import AptPackage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SOURCE = Bootstrap("bookworm", "", (AptPackage("python3"), AptPackage("ca-certificates", "1.2-3")))
MIRRORS = Mirrors("http://m.example/debian", "http://m.example/debian-security")


def test_the_command_names_suite_target_and_sources_in_this_order() -> None:
    argv = render_argv(SOURCE, mirrors=MIRRORS, target="/base.tar")
    assert argv[0] == "mmdebstrap"
    start = argv.index("bookworm")
    assert argv[start + 1] == "/base.tar"
    assert [line.split()[-2] for line in argv[start + 2 :]] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    assert all(word.startswith("--") for word in argv[1:start])


def test_packages_are_included_with_their_pins() -> None:
    argv = render_argv(SOURCE, mirrors=None, target="-")
    included = [word for word in argv if word.startswith("--include=")]
    assert included == ["--include=python3", "--include=ca-certificates=1.2-3"]
    assert argv[-2:] == ("bookworm", "-")


def test_components_are_asked_for_where_the_base_declares_some() -> None:
    assert "--components=main" in render_argv(SOURCE, mirrors=None, target="-")
    source = replace(SOURCE, components=("main", "non-free"))
    argv = render_argv(source, mirrors=MIRRORS, target="-")
    assert "--components=main,non-free" in argv
    assert all(line.endswith(" main non-free") for line in argv if line.startswith("deb "))


def test_licences_stay_when_documentation_goes() -> None:
    argv = render_argv(SOURCE, mirrors=None, target="-")
    excluded = argv.index("--dpkgopt=path-exclude=/usr/share/doc/*")
    assert argv.index("--dpkgopt=path-include=/usr/share/doc/*/copyright") > excluded


def test_what_differs_between_machines_is_removed() -> None:
    hooks = " ".join(w for w in render_argv(SOURCE, mirrors=None, target="-") if "hook" in w)
    for path in ("/etc/hostname", "/etc/resolv.conf", "/var/log", "/var/lib/dpkg/*-old"):
        assert path in hooks.replace('"', "")


def test_mmdebstrap_sees_nothing_of_the_environment_but_path_temporary_folder_and_proxies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, str] = {}

    def stream(
        argv: Sequence[str], *, on_line: Callable[[str], None], env: Mapping[str, str]
    ) -> int:
        del argv, on_line
        seen.update(env)
        return 0

    program = tmp_path / "mmdebstrap"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(process, "stream", stream)
    run_bootstrap_here(
        SOURCE,
        tmp_path / "base.tar",
        environ={
            "PATH": str(tmp_path),
            "TOKEN": "secret",
            "TZ": "Asia/Tokyo",
            "LANG": "de_DE",
            "HTTP_PROXY": "http://proxy.example",
        },
        etc=tmp_path,
        state_dir=tmp_path,
        on_line=lambda _: None,
    )
    assert seen.pop("PATH").split(":")[0] == str(tmp_path)
    assert seen == {
        "http_proxy": "http://proxy.example",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "946684800",
    }


def test_proxies_are_found_in_either_case_and_empty_ones_are_none() -> None:
    environ = {"http_proxy": "a", "HTTP_PROXY": "b", "HTTPS_PROXY": "c", "no_proxy": "", "X": "y"}
    assert proxy_environ(environ) == {"http_proxy": "a", "https_proxy": "c"}


@pytest.mark.parametrize(
    ("system", "machine", "uid", "programs", "expected"),
    [
        ("linux", "x86_64", 0, ("apt-get",), True),
        ("linux", "x86_64", 0, ("mmdebstrap",), True),
        ("linux", "x86_64", 0, (), False),
        ("linux", "x86_64", 1000, ("apt-get",), False),
        ("linux", "x86_64", 1000, ("mmdebstrap", "newuidmap"), True),
        ("linux", "aarch64", 0, ("mmdebstrap",), False),
        ("darwin", "x86_64", 0, ("mmdebstrap",), False),
    ],
)
def test_a_machine_makes_bases_itself_where_it_may_install_or_has_what_it_needs(  # noqa: PLR0913, PLR0917 - the columns of the table
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    system: str,
    machine: str,
    uid: int,
    programs: tuple[str, ...],
    expected: bool,  # noqa: FBT001 - an expectation of the table
) -> None:
    for name in programs:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert can_bootstrap_here({"PATH": str(tmp_path)}) is expected
