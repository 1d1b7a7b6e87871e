"""The engine of this machine: found and used as it is, or else installed and started by us."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.engine.client import (
    Client,
    Endpoint,
    ask_engine,
    child_environ,
    find_client,
    is_forbidden,
    read_endpoint,
)
from twinforge.engine.daemon import (
    Daemon,
    answers,
    dockerd_major,
    exclusive,
    start_daemon,
    stop_daemon,
)
from twinforge.engine.identity import find_rival
from twinforge.engine.install import install_packages
from twinforge.engine.machine import APT_DIR, has_systemd, lacks_apparmor, read_distribution
from twinforge.engine.plan import Facts, Plan, plan_engine
from twinforge.errors import MissingToolError
from twinforge.events import Event, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.events import Listener

__all__ = [
    "Engine",
    "Settings",
    "Status",
    "engine_status",
    "ensure_engine",
    "find_engine",
    "stop_engine",
]

STAGE = "engine"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the room needs to know; ``state_dir`` holds the engine of our own, machine-wide."""

    environ: Mapping[str, str]
    state_dir: Path


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers, with a docker CLI that has buildx.

    Attributes:
        host: Its value for DOCKER_HOST; always concrete.
        ours: Whether we started it.
        docker: Full path of the CLI.
        version: Of the engine.
        buildx: Version of the CLI's plugin.
        env: The whole environment for children that are to use it.
    """

    host: str
    ours: bool
    docker: str
    version: str
    buildx: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """What can be said of the engine without changing anything.

    Attributes:
        reachable: Whether an engine answers at ``host``.
        host: Where one was looked for last.
        chosen_by: What names that place, as words (a variable, a context); empty where nothing
            does, and ``ensure_engine`` may start an engine of ours.
        refusal: Why none answers, empty where one does.
        version: Of the engine, empty where none answers.
        buildx: Of the CLI's plugin, empty where there is none.
        docker: Full path of the CLI, empty where there is none.
        ours: Whether we started it.
        pid: Of our dockerd, 0 where it does not run.
        data_dir: Where the engine keeps images and the build cache, as it says itself.
        storage_driver: Such as ``overlay2``.
        log: What our dockerd prints, None for another engine.
    """

    reachable: bool
    host: str
    chosen_by: str
    refusal: str
    version: str
    buildx: str
    docker: str
    ours: bool
    pid: int
    data_dir: str
    storage_driver: str
    log: Path | None


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What was found where an engine is expected; ``version`` is empty when nothing answered."""

    client: Client | None
    endpoint: Endpoint
    version: str
    refusal: str
    answers: bool
    ours: bool
    env: Mapping[str, str]

    @property
    def engine(self) -> Engine | None:
        if self.client is None or not self.client.buildx or not self.version:
            return None
        return Engine(
            host=self.endpoint.host,
            ours=self.ours,
            docker=self.client.path,
            version=self.version,
            buildx=self.client.buildx,
            env=self.env,
        )


def find_engine(settings: Settings) -> Engine | None:
    """Return the engine that can be used as it is, or None; nothing is installed or started."""
    return _look(settings, Daemon(settings.state_dir)).engine


def ensure_engine(settings: Settings, listener: Listener, *, found: Engine | None = None) -> Engine:
    """Return an engine with buildx, and install and start one where none is chosen or answers.

    Doing it again changes nothing, and two processes may do it at once. ``found`` is what
    ``find_engine`` has just returned, which then need not be looked for again.

    Raises:
        MissingToolError: There is no engine and none can be made; the hint says what to install.
    """
    if found is not None:
        _tell(listener, State.DONE, _describe(found))
        return found
    daemon = Daemon(settings.state_dir)
    sighting = _look(settings, daemon)
    if engine := sighting.engine:
        return ensure_engine(settings, listener, found=engine)
    # Asked before the lock is taken: who may not do it gets the advice, and no "permission denied".
    plan_engine(_gather(sighting, settings, daemon))
    _tell(listener, State.STARTED, "no engine with buildx answers yet")
    try:
        with exclusive(daemon):
            engine = _make(settings, daemon, listener)
    except BaseException:
        _tell(listener, State.FAILED, "no engine")
        raise
    _tell(listener, State.DONE, _describe(engine))
    return engine


def engine_status(settings: Settings) -> Status:
    """Return what can be said of the engine; nothing is installed or started.

    Raises:
        MissingToolError: The docker context that is chosen does not exist.
    """
    daemon = Daemon(settings.state_dir)
    sighting = _look(settings, daemon)
    data_dir, driver = _read_storage(sighting)
    client = sighting.client
    return Status(
        reachable=sighting.answers,
        host=sighting.endpoint.host,
        chosen_by=sighting.endpoint.chosen_by,
        refusal=sighting.refusal,
        version=sighting.version,
        buildx=client.buildx if client else "",
        docker=client.path if client else "",
        ours=sighting.ours,
        pid=daemon.pid(),
        data_dir=data_dir,
        storage_driver=driver,
        log=daemon.log if sighting.ours else None,
    )


def stop_engine(settings: Settings, listener: Listener) -> bool:
    """End the engine that we started, with its containers; return whether there was one.

    Its images and its build cache stay. An engine that somebody else started is left alone.
    """
    daemon = Daemon(settings.state_dir)
    if not daemon.pid():
        return False
    _tell(listener, State.STARTED, f"stopping the engine at {daemon.host}")
    with exclusive(daemon):
        stopped = stop_daemon(daemon)
    _tell(listener, State.DONE, f"stopped; its data stays in {daemon.data_dir}")
    return stopped


def _make(settings: Settings, daemon: Daemon, listener: Listener) -> Engine:
    """Carry out the plan; the facts are gathered anew after each step that changed them."""
    done: set[str] = set()
    while True:
        sighting = _look(settings, daemon)
        if sighting.engine:
            return sighting.engine
        plan = plan_engine(_gather(sighting, settings, daemon))
        step = "installed" if plan.packages else "started"
        if step in done:
            what = " ".join(plan.packages) or "dockerd"
            message = f"{what} was {step}, and yet no engine can be used: {sighting.refusal}"
            hint = f"see the logs in {settings.state_dir}"
            raise MissingToolError(message, hint=hint)
        done.add(step)
        if plan.packages:
            _install(plan, settings, listener)
        else:
            _tell(listener, State.PROGRESS, f"starting dockerd, data in {daemon.data_dir}")
            start_daemon(daemon, environ=settings.environ)


def _install(plan: Plan, settings: Settings, listener: Listener) -> None:
    _tell(listener, State.PROGRESS, f"installing {' '.join(plan.packages)}")
    install_packages(
        plan,
        environ=settings.environ,
        state_dir=settings.state_dir,
        apt_dir=APT_DIR,
        has_systemd=has_systemd(),
        on_line=lambda line: _tell(listener, State.PROGRESS, line),
    )


def _look(settings: Settings, daemon: Daemon) -> _Sighting:
    """Look where an engine is chosen, and then at our own where none is chosen."""
    client = find_client(settings.environ)
    chosen = _sight(client, read_endpoint(client, settings.environ), settings, daemon)
    if chosen.answers or chosen.endpoint.chosen_by or not daemon.pid():
        return chosen
    own = _sight(client, Endpoint(daemon.host), settings, daemon)
    return own if own.answers else chosen


def _sight(
    client: Client | None, endpoint: Endpoint, settings: Settings, daemon: Daemon
) -> _Sighting:
    ours = endpoint.host == daemon.host
    if ours:
        # Who names the socket of our own engine asks for that engine, running or not.
        endpoint = Endpoint(endpoint.host)
    env = child_environ(settings.environ, endpoint)
    if client is None:
        path = endpoint.host.removeprefix("unix://")
        # Only a client knows how to speak to ssh:// and the like: so it is what is missing first.
        does = answers(Path(path)) if path != endpoint.host else True
        return _Sighting(None, endpoint, "", "" if does else "no answer", does, ours, env)
    answer = ask_engine(client, env)
    is_up = bool(answer.version)
    return _Sighting(client, endpoint, answer.version, answer.refusal, is_up, ours, env)


def _gather(sighting: _Sighting, settings: Settings, daemon: Daemon) -> Facts:
    client = sighting.client
    system = platform.system().lower()
    needs_daemon = not sighting.answers and system == "linux"
    return Facts(
        host=sighting.endpoint.host,
        chosen_by=sighting.endpoint.chosen_by,
        answers=sighting.answers,
        refusal=sighting.refusal,
        is_forbidden=not sighting.answers and is_forbidden(sighting.endpoint.host),
        has_client=client is not None,
        has_buildx=client is not None and bool(client.buildx),
        dockerd_major=dockerd_major(settings.environ) if needs_daemon else 0,
        rival_pid=find_rival(daemon.pid_file) if needs_daemon else 0,
        is_root=os.geteuid() == 0,
        system=system,
        distribution=read_distribution(),
        lacks_apparmor=lacks_apparmor(),
    )


def _read_storage(sighting: _Sighting) -> tuple[str, str]:
    if sighting.client is None or not sighting.version:
        return "", ""
    done = process.run(
        [sighting.client.path, "info", "--format", "{{json .}}"],
        env=sighting.env,
        timeout_s=30.0,
        check=False,
    )
    if done.status:
        return "", ""
    info = json.loads(done.stdout)
    return info.get("DockerRootDir", ""), info.get("Driver", "")


def _describe(engine: Engine) -> str:
    whose = "our own Docker Engine" if engine.ours else "Docker Engine"
    return f"{whose} {engine.version} at {engine.host}, buildx {engine.buildx}"


def _tell(listener: Listener, state: State, text: str) -> None:
    listener(Event(stage=STAGE, node=STAGE, state=state, text=text))
