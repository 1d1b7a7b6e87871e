"""What has to be done before there is an engine: a pure function from facts to a plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from twinforge.errors import MissingToolError

__all__ = [
    "OLDEST_ENGINE",
    "Distribution",
    "Facts",
    "Plan",
    "parse_os_release",
    "plan_engine",
]

OLDEST_ENGINE = 23
"""The first major version of dockerd that builds with BuildKit by default; we start no older one."""

DEBIAN_NEEDING_NEXT = "bookworm"
OLDEST_DEBIAN = 13
OLDEST_UBUNTU = 22.04


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Linux distribution, as os-release names it; ``version`` is empty for a rolling one."""

    id: str
    codename: str
    version: str

    @property
    def needs_next_release(self) -> bool:
        """Whether its own engine is too old while that of the release after it installs."""
        return self.id == "debian" and self.codename == DEBIAN_NEEDING_NEXT

    @property
    def is_supported(self) -> bool:
        """Whether an engine with buildx can be installed from the distribution's packages."""
        if self.id not in {"debian", "ubuntu"}:
            return False
        if self.needs_next_release or (self.id == "debian" and not self.version):
            return True
        try:
            number = float(self.version)
        except ValueError:
            return False
        return number >= (OLDEST_DEBIAN if self.id == "debian" else OLDEST_UBUNTU)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on the machine.

    Attributes:
        host: Where an engine was looked for.
        chosen_by: What names that host (``DOCKER_HOST``), empty for Docker's default.
        answers: Whether an engine answers there, or can't be asked before there is a client.
        refusal: Why it does not answer.
        is_forbidden: Whether its socket is there, but not for us.
        has_client: Whether there is any docker CLI.
        has_buildx: Whether one of them has buildx.
        dockerd_major: Major version of the dockerd program, 0 where there is none.
        rival_pid: Another dockerd that runs in our network namespace, or 0.
        is_root: Whether we may install and start.
        system: ``linux``, ``darwin``, ... as Python names it.
        distribution: None where os-release names none.
        lacks_apparmor: Whether the kernel enforces AppArmor and its parser is missing.
    """

    host: str
    chosen_by: str
    answers: bool
    refusal: str
    is_forbidden: bool
    has_client: bool
    has_buildx: bool
    dockerd_major: int
    rival_pid: int
    is_root: bool
    system: str
    distribution: Distribution | None
    lacks_apparmor: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do; nothing at all when an engine that can be used answers already.

    Attributes:
        packages: To install first, in order.
        from_next_release: Those of them that come from the release after the machine's.
        starts: Whether a dockerd of our own is started.
    """

    packages: tuple[str, ...] = ()
    from_next_release: tuple[str, ...] = ()
    starts: bool = False


def parse_os_release(text: str) -> Distribution:
    """Return the distribution that an os-release file describes.

    >>> parse_os_release('VERSION_ID="22.04"')
    Distribution(id='', codename='', version='22.04')
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            values[name] = "".join(shlex.split(value)[:1])
    codename = values.get("VERSION_CODENAME", "")
    return Distribution(values.get("ID", ""), codename, values.get("VERSION_ID", ""))


def plan_engine(facts: Facts) -> Plan:
    """Decide how to come to an engine.

    Raises:
        MissingToolError: There is none, and it is not ours to install or start one.
    """
    if facts.answers:
        return Plan() if facts.has_buildx else _plan_client(facts)
    where = f"no Docker Engine answers at '{facts.host}'"
    because = f": {facts.refusal}" if facts.refusal else ""
    if facts.is_forbidden:
        message = f"this user may not use the Docker Engine at '{facts.host}'{because}"
        hint = "add the user to the group of that socket (docker, as a rule), or run this as root"
        raise MissingToolError(message, hint=hint)
    if facts.chosen_by:
        message = f"{where}, which {facts.chosen_by} names{because}"
        hint = "start that engine; twinforge starts one of its own only where none is chosen"
        raise MissingToolError(message, hint=hint)
    if facts.rival_pid:
        message = f"{where}, but a dockerd with another socket runs here (pid {facts.rival_pid})"
        hint = (
            "two engines on one network break each other: set DOCKER_HOST to the socket of that "
            "one, or stop it"
        )
        raise MissingToolError(message, hint=hint)
    packages = (*_engine_packages(facts), *_client_packages(facts))
    if facts.system != "linux" or not facts.is_root or (packages and not _can_install(facts)):
        message = f"{where}{because}"
        raise MissingToolError(message, hint=_advice(facts))
    return _plan(facts, packages, starts=True)


def _plan_client(facts: Facts) -> Plan:
    if not facts.is_root or not _can_install(facts):
        what = "no docker CLI here has buildx" if facts.has_client else "there is no docker CLI"
        message = f"an engine is expected at '{facts.host}', but {what}"
        raise MissingToolError(message, hint=_advice(facts))
    return _plan(facts, _client_packages(facts), starts=False)


def _plan(facts: Facts, packages: tuple[str, ...], *, starts: bool) -> Plan:
    distribution = facts.distribution
    needs_next = distribution is not None and distribution.needs_next_release
    older = {"iptables", "apparmor"}
    following = tuple(name for name in packages if name not in older) if needs_next else ()
    return Plan(packages, following, starts)


def _engine_packages(facts: Facts) -> tuple[str, ...]:
    apparmor = ("apparmor",) if facts.lacks_apparmor else ()
    if facts.dockerd_major >= OLDEST_ENGINE:
        return apparmor
    return ("docker.io", "containerd", "iptables", *apparmor)


def _client_packages(facts: Facts) -> tuple[str, ...]:
    if facts.has_buildx:
        return ()
    installs_engine = not facts.answers and facts.dockerd_major < OLDEST_ENGINE
    if facts.distribution is not None and facts.distribution.id == "ubuntu":
        # Ubuntu's client is a part of its docker.io.
        client = () if facts.has_client or installs_engine else ("docker.io",)
    else:
        # The client of an older docker.io goes away with it.
        client = ("docker-cli",) if installs_engine or not facts.has_client else ()
    return (*client, "docker-buildx")


def _can_install(facts: Facts) -> bool:
    return facts.distribution is not None and facts.distribution.is_supported


def _advice(facts: Facts) -> str:
    """Say exactly what to install, for this machine."""
    else_host = "or set DOCKER_HOST to an engine that runs"
    if facts.system != "linux":
        return f"install and start Docker Desktop (or Colima with docker-buildx), {else_host}"
    only_client = facts.answers
    if _can_install(facts):
        packages = _client_packages(facts)
        if not only_client:
            packages = (*_engine_packages(facts), *packages)
        names = " ".join(packages)
        plan = _plan(facts, packages, starts=not only_client)
        origin = " from the release after this one" if plan.from_next_release else ""
        install = f"installs {names}{origin}" if names else ""
        start = "" if only_client else "starts dockerd"
        does = " and ".join(part for part in (install, start) if part)
        return f"run 'twinforge engine ensure' as root, which {does}, {else_host}"
    plugin = "buildx plugin (package docker-buildx or docker-buildx-plugin)"
    if only_client:
        cli = "its" if facts.has_client else "the docker CLI with its"
        return f"install {cli} {plugin}"
    return f"install Docker Engine {OLDEST_ENGINE} or later with its {plugin}, {else_host}"
