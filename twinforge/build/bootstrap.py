"""A minimal system from a distribution's packages, as a tar that is the same for the same inputs.

mmdebstrap makes it, on the machine itself where that can be, else in a container. Everything that
could differ between two runs is fixed or removed: times (``SOURCE_DATE_EPOCH``), logs, backups of
databases, the machine's name and name servers.

Source: mmdebstrap(1), sections HOOKS and ENVIRONMENT VARIABLES.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import uuid
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.build.mirrors import distribution_of, parse_mirrors, read_mirrors, render_sources
from twinforge.engine.images import Images
from twinforge.engine.install import install_packages
from twinforge.engine.plan import Plan
from twinforge.errors import BuildError
from twinforge.render.dockerfile import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from twinforge.build.mirrors import Mirrors
    from twinforge.engine.engine import Engine
    from twinforge.model.matrix import Bootstrap

__all__ = [
    "ARCHITECTURE",
    "METHOD",
    "WORKSHOP_IMAGE",
    "can_bootstrap_here",
    "proxy_environ",
    "render_argv",
    "run_bootstrap_here",
    "run_bootstrap_in_container",
]

ARCHITECTURE = "amd64"
"""What SageMaker's instances run, and so the architecture of every base."""

METHOD = 2
"""Raised when the same declaration becomes another base than before."""

WORKSHOP_IMAGE = "debian:bookworm-slim"
"""Where the step runs when the machine itself can't: any image with apt."""

_APT_OPTIONS = ('Acquire::Languages "none"', 'Acquire::Retries "3"')
_DPKG_OPTIONS = (
    "force-unsafe-io",  # an interrupted build is thrown away, so syncing each file buys nothing
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",  # licences stay
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/man/*",
)
_MERGE = 'hook=/usr/share/mmdebstrap/hooks/maybe-merged-usr/{}; [ ! -x "$hook" ] || "$hook" "$1"'
"""Merges /usr by links from the outside, so that no package has to do it inside, which would bring
all of Perl (50 MB). An mmdebstrap that has no such hook leaves it to the package."""

_HOOKS = (
    'find "$1/var/log" -type f -delete',
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    # backups, which a later installation would replace: whiteouts in its layer carry times
    'rm -f "$1"/etc/*- "$1"/var/lib/dpkg/*-old "$1"/var/cache/debconf/*-old',
)
_PASSED_ON = ("HOME", "PATH", "TMPDIR")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM = "mmdebstrap"
_CONTAINER_TAR = "/root.tar"
_READ_SOURCES = (
    "for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources"
    '; do if [ -f "$f" ]; then cat "$f"; echo; fi; done'
)
_WORK = (
    "set -e; if ! command -v mmdebstrap; then apt-get update; "
    "apt-get install --assume-yes --no-install-recommends mmdebstrap; fi; "
    'exec "$@"'
)


def render_argv(bootstrap: Bootstrap, *, mirrors: Mirrors | None, target: str) -> tuple[str, ...]:
    """Return the command that makes a base.

    Args:
        bootstrap: What to make.
        mirrors: Where packages come from; None leaves it to mmdebstrap's knowledge of the suite.
        target: The path of the tar.
    """
    distribution = distribution_of(bootstrap.suite)
    sources = render_sources(
        distribution,
        bootstrap.suite,
        snapshot=bootstrap.snapshot,
        mirrors=mirrors,
        components=bootstrap.components,
    )
    components = ",".join(bootstrap.components or distribution.components.split())
    return (
        _PROGRAM,
        "--variant=minbase",
        "--format=tar",
        f"--architectures={ARCHITECTURE}",
        f"--components={components}",
        *(f"--aptopt={option}" for option in _APT_OPTIONS),
        *(f"--dpkgopt={option}" for option in _DPKG_OPTIONS),
        f"--setup-hook={_MERGE.format('setup00.sh')}",
        f"--essential-hook={_MERGE.format('essential00.sh')}",
        *(f"--customize-hook={hook}" for hook in _HOOKS),
        *(f"--include={package}" for package in bootstrap.packages),
        bootstrap.suite,
        target,
        *sources,
    )


def can_bootstrap_here(environ: Mapping[str, str]) -> bool:
    """Say whether this machine can make a base itself, if need be after installing mmdebstrap."""
    path = environ.get("PATH", "")
    if not sys.platform.startswith("linux") or platform.machine() not in {"x86_64", ARCHITECTURE}:
        return False
    if os.geteuid() == 0:
        return any(shutil.which(name, path=path) for name in (_PROGRAM, "apt-get"))
    # without root, mmdebstrap needs a user namespace with more than one user
    return all(shutil.which(name, path=path) for name in (_PROGRAM, "newuidmap"))


def run_bootstrap_here(  # noqa: PLR0913 - where things lie on the machine, all by keyword
    bootstrap: Bootstrap,
    target: Path,
    *,
    environ: Mapping[str, str],
    etc: Path,
    state_dir: Path,
    on_line: Callable[[str], None],
) -> None:
    """Make a base on this machine; mmdebstrap is installed where it is missing.

    Args:
        bootstrap: What to make.
        target: The path of the tar.
        environ: Its PATH, TMPDIR and proxies are passed on, and nothing else.
        etc: The machine's ``/etc``, for its apt sources.
        state_dir: Where the log of an installation goes.
        on_line: Takes each line that is printed.

    Raises:
        CommandError: mmdebstrap failed.
        MissingToolError: mmdebstrap can't be installed.
    """
    if shutil.which(_PROGRAM, path=environ.get("PATH", "")) is None:
        install_packages(
            Plan((_PROGRAM,)),
            environ=environ,
            state_dir=state_dir,
            apt_dir=etc / "apt",
            has_systemd=True,
            on_line=on_line,
        )
    mirrors = read_mirrors(distribution_of(bootstrap.suite), etc)
    argv = render_argv(bootstrap, mirrors=mirrors, target=str(target))
    # what else stands in the environment could find its way into the base
    env = {
        **{name: environ[name] for name in _PASSED_ON if name in environ},
        **proxy_environ(environ),
        "PATH": f"{environ.get('PATH', '')}:{_SYSTEM_PATH}".lstrip(":"),
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }
    process.stream(argv, on_line=on_line, env=env)


def run_bootstrap_in_container(
    bootstrap: Bootstrap,
    target: Path,
    *,
    engine: Engine,
    on_line: Callable[[str], None],
    image: str = WORKSHOP_IMAGE,
) -> None:
    """Make a base in a container without further privileges, and copy the tar out of it.

    The engine may be on another machine: nothing is mounted.

    Raises:
        CommandError: The image can't be had, or the step in the container failed.
    """
    docker = engine.docker
    on_amd64 = f"--platform=linux/{ARCHITECTURE}"
    # a value in an argv can be read by everybody on the machine, and a proxy's can hold a password
    env = {**engine.env, **proxy_environ(engine.env)}
    passed = [f"--env={name}" for name in proxy_environ(engine.env)]
    passed += [f"--env=SOURCE_DATE_EPOCH={EPOCH}", "--env=LC_ALL=C.UTF-8"]
    with Images(engine) as images:
        if images.inspect(image) is None:
            process.run([docker, "pull", "--quiet", on_amd64, image], env=env)
        mirrors = _mirrors_of(image, bootstrap, images)
    argv = render_argv(bootstrap, mirrors=mirrors, target=_CONTAINER_TAR)
    name = f"twinforge-bootstrap-{uuid.uuid4().hex[:12]}"
    create = [docker, "create", f"--name={name}", on_amd64, *passed, image]
    try:
        process.run([*create, "sh", "-c", _WORK, "sh", *argv], env=env)
        process.stream([docker, "start", "--attach", name], on_line=on_line, env=env)
        process.run([docker, "cp", f"{name}:{_CONTAINER_TAR}", str(target)], env=env)
    finally:
        process.run([docker, "rm", "--force", "--volumes", name], env=env, check=False)


def _mirrors_of(image: str, bootstrap: Bootstrap, images: Images) -> Mirrors | None:
    status, text = images.run_command(image, ["sh", "-c", _READ_SOURCES])
    if status:
        message = f"the apt sources of '{image}' can't be read"
        raise BuildError(message)
    return parse_mirrors(distribution_of(bootstrap.suite), text)


def proxy_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies that are set, in the lower-case names that apt reads."""
    found = {name: environ.get(name) or environ.get(name.upper()) or "" for name in _PROXIES}
    return {name: value for name, value in found.items() if value}
