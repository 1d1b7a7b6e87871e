"""What apt would install on a base, asked of apt itself in a container that is thrown away.

Package names are words of an argv, never text of a shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from twinforge.build.bases import make_base
from twinforge.build.bootstrap import proxy_environ
from twinforge.engine.images import FOREIGN, Images
from twinforge.errors import LockError, MissingToolError, TwinforgeError
from twinforge.events import Event, State
from twinforge.lock.locked import Deb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twinforge.build.bases import MadeBase
    from twinforge.engine.engine import Engine
    from twinforge.events import Listener
    from twinforge.lock.locked import BaseLock
    from twinforge.model.recipe import AptPackage
    from twinforge.model.variant import Variant

__all__ = ["ContainerApt", "parse_installed", "parse_versions"]

TIMEOUT_S = 600
NO_MIRROR = 90
"""The status with which the scripts end when the archive can't be reached; apt has none for it."""

_UPDATE = f"apt-get -qq -o APT::Update::Error-Mode=any update || exit {NO_MIRROR}; "
_LIST = 'for word; do apt-cache madison "${word%%=*}"; done; '
_FILES = (
    "apt-get indextargets --format 'Root $(REPO_URI)' 'Created-By: Packages' | sort -u; "
    'apt-get -qq --print-uris -o Acquire::ForceHash=SHA256 install --no-install-recommends -- "$@"'
)
_SIMULATE = (
    f'{_UPDATE}apt-get -q -s install --no-install-recommends -- "$@" && {{ {_FILES}; exit 0; }}; '
    f'status=$?; {_LIST}exit "$status"'
)
_INSTALLED = re.compile(r"Inst (?P<name>\S+)(?: \[[^]]*\])? \((?P<version>\S+) ", re.ASCII)
_ROOT = re.compile(r"Root (?P<uri>https?://\S+)", re.ASCII)
_FILE = re.compile(
    r"'(?P<uri>[^']+)' (?P<file>\S+) [0-9]+ SHA256:(?P<sha256>[0-9a-f]{64})", re.ASCII
)
_OFFERED = re.compile(r" *(?P<name>[^\s|]+) \| *(?P<version>[^\s|]+) \| ", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContainerApt:
    """Knows what an apt step installs, by asking in a container of the variant's base.

    Answers are remembered per base and packages. Bases are made where they are missing.
    """

    locks: Mapping[str, BaseLock]
    engine: Engine = field(kw_only=True)
    cache_dir: Path = field(kw_only=True)
    listener: Listener = field(kw_only=True)
    _answers: dict[tuple[str, str, tuple[str, ...]], tuple[Deb, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        """Return what installing ``packages`` on the variant's base adds or changes, by name.

        An image that can't be had can't be asked: its packages stay as they were asked for, and the
        listener is told.

        Raises:
            LockError: A package or a version does not exist there, or they exclude each other.
        """
        if not packages:
            return ()
        base = make_base(
            variant.base,
            self.locks.get(variant.base.name),
            engine=self.engine,
            cache_dir=self.cache_dir,
            listener=self.listener,
            locked=False,
        )
        words = tuple(sorted(str(package) for package in packages))
        key = (base.reference, variant.platform, words)
        if key not in self._answers and (reason := self._reason_not_to_ask(base, variant.platform)):
            self._answers[key] = self._unpinned(variant, packages, reason)
        if key not in self._answers:
            text = f"asking apt on {base.name} for {' '.join(words)}"
            self.listener(Event("lock", variant.id, State.PROGRESS, text))
            status, output = _ask(self.engine, base.reference, variant.platform, _SIMULATE, words)
            if status and FOREIGN in output:
                reason = f"this engine runs no {variant.platform}"
                self._answers[key] = self._unpinned(variant, packages, reason)
            elif status:
                raise _refusal(variant, packages, status, output)
            else:
                self._answers[key] = parse_installed(output)
        return self._answers[key]

    def _unpinned(
        self, variant: Variant, packages: Sequence[AptPackage], reason: str
    ) -> tuple[Deb, ...]:
        text = f"the Debian packages are not pinned: {reason}"
        self.listener(Event("lock", variant.id, State.NOTE, text))
        asked = sorted(packages, key=str)
        return tuple(Deb(package.name, package.version) for package in asked)

    def _reason_not_to_ask(self, base: MadeBase, platform: str) -> str:
        """Return why the engine can't run the base, or nothing; an image it lacks is pulled."""
        if base.is_made:
            return ""
        with Images(self.engine) as images:
            held = images.inspect(base.reference)
            if held is not None and held.platform == platform:
                return ""
            try:
                images.pull(base.reference, platform)
            except MissingToolError:
                raise
            except TwinforgeError as error:
                return error.message
        return ""


def parse_installed(output: str) -> tuple[Deb, ...]:
    """Return what ``apt-get -s install`` says that it would install, by name.

    Where the output goes on with the archives' roots and with what ``--print-uris`` says, the
    packages have their files.

    >>> parse_installed("Inst tzdata [2024a-0] (2025b-0+deb12u2 Debian:12.12/stable [all])")
    (Deb(name='tzdata', version='2025b-0+deb12u2', path='', sha256=''),)
    """
    lines = output.splitlines()
    found = (_INSTALLED.match(line) for line in lines)
    pins = {match["name"]: match["version"] for match in found if match}
    roots = [match["uri"] for match in map(_ROOT.fullmatch, lines) if match]
    files: dict[tuple[str, str], tuple[str, ...]] = {}
    for match in filter(None, map(_FILE.fullmatch, lines)):
        key, path = _stem(match["file"]), _below(match["uri"], roots)
        # of two architectures nobody can say which is which
        files[key] = (path, match["sha256"]) if path and key not in files else ()
    debs = (
        Deb(name, version, *files.get((name.partition(":")[0], version), ()))
        for name, version in sorted(pins.items())
    )
    # an archive that calls its files otherwise is asked by its index
    return tuple(deb if deb.is_its_file else Deb(deb.name, deb.version) for deb in debs)


def _below(uri: str, roots: Sequence[str]) -> str:
    """Return a file's path below the root of its archive, or nothing where it is of none."""
    fitting = [root for root in roots if uri.startswith(root) and root.endswith("/")]
    return uri.removeprefix(max(fitting, key=len)) if fitting else ""


def _stem(file: str) -> tuple[str, str]:
    """Return name and version of a package, as apt writes them in the name of its file."""
    name, _, rest = file.partition("_")
    return name, unquote(rest.rpartition("_")[0])


def parse_versions(output: str) -> dict[str, tuple[str, ...]]:
    """Return the versions that ``apt-cache madison`` lists, by package, the newest first."""
    versions: dict[str, dict[str, None]] = {}
    for line in output.splitlines():
        if match := _OFFERED.match(line):
            versions.setdefault(match["name"], {})[match["version"]] = None
    return {name: tuple(found) for name, found in versions.items()}


def _ask(
    engine: Engine, reference: str, platform: str, script: str, words: Sequence[str]
) -> tuple[int, str]:
    env = {**proxy_environ(engine.env), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    with Images(engine) as images:
        return images.run_command(
            reference,
            ["sh", "-c", script, "sh", *words],
            network="bridge",
            env=env,
            timeout_s=TIMEOUT_S,
            platform=platform,
        )


_NETWORK_HINT = "see whether containers reach the network, and the proxy variables"


def _unreachable(what: str, output: str) -> str:
    return f"the package archive of '{what}' can't be reached: {_complaint(output)}"


def _refusal(
    variant: Variant, packages: Sequence[AptPackage], status: int, output: str
) -> LockError:
    base = variant.base.name
    if status == NO_MIRROR:
        return LockError(_unreachable(base, output), hint=_NETWORK_HINT)
    offered = parse_versions(output)
    problems = []
    for package in sorted(packages, key=lambda package: package.name):
        versions = offered.get(package.name, ())
        if not versions:
            problems.append(f"there is no Debian package '{package.name}'")
        elif package.version and package.version not in versions:
            others = ", ".join(versions)
            problems.append(f"'{package.name}' has no version '{package.version}' but {others}")
    what = "; ".join(problems) or f"apt can't install them together: {_complaint(output)}"
    message = f"the system packages of '{variant.id}' can't be had on '{base}': {what}"
    hint = (
        f"see 'system' in recipes/{variant.recipe}.yaml and the packages of the accelerator "
        f"'{variant.accelerator.name}' in matrix.yaml"
    )
    return LockError(message, hint=hint)


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    complaints = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (complaints or lines or ["it says nothing"])[-1]
