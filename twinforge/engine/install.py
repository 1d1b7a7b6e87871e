"""Installation from the distribution's packages, without a change to the machine's apt sources."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.engine.sources import (
    AptEntry,
    find_main_archive,
    parse_deb822,
    parse_one_line,
    render_entry,
    render_pins,
)
from twinforge.errors import CommandError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from twinforge.engine.plan import Plan

__all__ = ["install_packages"]

NEXT_CODENAME = "trixie"
CODENAME = "bookworm"
TAIL_LINES = 12
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

UNATTENDED = (
    "--assume-yes",
    "--no-install-recommends",
    # Removing what the user installed (docker-ce, podman-docker) is not ours to do.
    "--no-remove",
    "-oDPkg::Lock::Timeout=300",
    "-oDpkg::Use-Pty=0",
    "-oDpkg::Options::=--force-confdef",
    "-oDpkg::Options::=--force-confold",
)


def install_packages(  # noqa: PLR0913 - where things lie on the machine, all by keyword
    plan: Plan,
    *,
    environ: Mapping[str, str],
    state_dir: Path,
    apt_dir: Path,
    has_systemd: bool,
    on_line: Callable[[str], None],
) -> None:
    """Install the plan's packages with apt-get; its output goes to ``apt.log`` in ``state_dir``.

    Args:
        plan: What to install. The sources and pins of a further release are written below
            ``state_dir``, given to this one installation only and removed after it.
        environ: Passed on to apt, with its proxy and certificate variables.
        state_dir: Ours.
        apt_dir: ``/etc/apt``; read only.
        has_systemd: Whether systemd runs the machine. Then the packages may start the engine as
            the distribution means it; else nothing is started by them.
        on_line: Takes each line that apt prints.

    Raises:
        MissingToolError: A package can't be installed; the last lines of the log are its hint.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    options = list(UNATTENDED)
    if plan.from_next_release:
        options += _private_sources(state_dir / "apt", apt_dir, plan.from_next_release)
    if not has_systemd:
        options.append(f"-oDPkg::Path={_quiet_services(state_dir / 'apt')}:{SYSTEM_PATH}")
    env = {
        **environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "NEEDRESTART_SUSPEND": "1",
        "LC_ALL": "C.UTF-8",
    }
    log = state_dir / "apt.log"
    with log.open("w", encoding="utf-8") as file:

        def record(line: str) -> None:
            file.write(f"{line}\n")
            file.flush()
            on_line(line)

        # An unreachable third-party source fails the update although all that is needed came.
        process.stream(["apt-get", *options, "update"], on_line=record, env=env, check=False)
        argv = ["apt-get", *options, "install", *plan.packages]
        try:
            process.stream(argv, on_line=record, env=env)
        except CommandError as error:
            message = f"{' '.join(plan.packages)} can't be installed: apt-get ended with status "
            message += str(error.status)
            tail = "\n".join(error.output.splitlines()[-TAIL_LINES:])
            raise MissingToolError(message, hint=f"see {log}, which ends:\n{tail}") from error
    shutil.rmtree(state_dir / "apt", ignore_errors=True)


def _private_sources(folder: Path, apt_dir: Path, packages: Sequence[str]) -> list[str]:
    """Write sources, pins and a place for lists into ``folder``; return options that select them.

    The machine's own sources and pins are included as copies, and then the next release of the
    archive that its main entry names.
    """
    parts, pins, lists = folder / "sources.list.d", folder / "preferences.d", folder / "lists"
    for made in (parts, pins):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    entries: list[AptEntry] = []
    machine = [apt_dir / "sources.list", *_listed(apt_dir / "sources.list.d", ".list", ".sources")]
    for number, path in enumerate(path for path in machine if path.is_file()):
        text = path.read_text(encoding="utf-8", errors="replace")
        is_deb822 = path.suffix == ".sources"
        entries += parse_deb822(text) if is_deb822 else parse_one_line(text)
        shutil.copyfile(path, parts / f"{number:02}-{path.name}")
    archive = find_main_archive(entries, CODENAME)
    if archive is None:
        message = f"no apt source of this machine names the main archive of '{CODENAME}'"
        hint = f"add Debian's archive to {apt_dir}/sources.list.d, or install an engine yourself"
        raise MissingToolError(message, hint=hint)
    following = render_entry(archive, suite=NEXT_CODENAME)
    (parts / "twinforge.sources").write_text(following, encoding="utf-8")
    own_pins = render_pins(packages, codename=NEXT_CODENAME)
    (pins / "00-twinforge").write_text(own_pins, encoding="utf-8")
    machine = [apt_dir / "preferences", *_listed(apt_dir / "preferences.d", "", ".pref")]
    for number, path in enumerate(path for path in machine if path.is_file()):
        shutil.copyfile(path, pins / f"{number + 1:02}-{path.stem}")
    return [
        "-oDir::Etc::sourcelist=/dev/null",
        f"-oDir::Etc::sourceparts={parts}",
        "-oDir::Etc::preferences=/dev/null",
        f"-oDir::Etc::preferencesparts={pins}",
        f"-oDir::State::lists={lists}",
        # The machine's own cache stays that of the machine's own lists.
        "-oDir::Cache::pkgcache=",
        "-oDir::Cache::srcpkgcache=",
    ]


def _quiet_services(folder: Path) -> Path:
    """Make a folder whose ``invoke-rc.d`` starts nothing, to go before the real one on PATH."""
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    program = programs / "invoke-rc.d"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    return programs


def _listed(folder: Path, *suffixes: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
