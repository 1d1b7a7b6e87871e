"""The image under other conditions: another port or user, a read-only root file system."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import PORT, telling
from twinforge.smoke.checks.train import finish
from twinforge.smoke.confinement import Confinement
from twinforge.smoke.container import Mount
from twinforge.smoke.modelfiles import MODEL
from twinforge.smoke.optml import HOST_NAME, TRAIN_ENV, write_job
from twinforge.smoke.serving import wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step

__all__ = ["restricted_checks"]

_OTHER_PORT = 8081
_OPT_ML = "/opt/ml"


@contextmanager
def restricted_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``restricted``.

    One container shows at once that all that is asked for works; where it does not serve, each
    restriction gets a container of its own, so that it is known which one is not borne.
    """
    serving, user = bench.serving, bench.recipe.smoke.user
    ways = {
        "serve.bind-port": (serving, _OTHER_PORT),
        "serve.user": (replace(serving, user=user), PORT),
        "serve.read-only-root": (replace(serving, read_only_root=True), PORT),
    }
    asked = [name for name in ways if name in bench.asked]
    trial = _Together(
        bench,
        replace(
            serving,
            user=user if "serve.user" in asked else "",
            read_only_root="serve.read-only-root" in asked,
        ),
        _OTHER_PORT if "serve.bind-port" in asked else PORT,
        is_worth_it=len(asked) > 1,
    )
    yield {
        **{name: partial(_serves, bench, name, *way, trial) for name, way in ways.items()},
        "train.read-only-root": partial(_trains_on_read_only_root, bench),
    }


@dataclass(slots=True)
class _Together:
    """A container with all restrictions that are asked for, started when it is first needed."""

    bench: Bench
    confinement: Confinement
    port: int
    is_worth_it: bool
    said: str | None = None

    def serves(self) -> str:
        """Return how well it serves; nothing where it does not, or was not worth a try."""
        if self.said is None:
            self.said = ""
            if self.is_worth_it:
                with suppress(SmokeError):
                    self.said = _wait(self.bench, "restricted", self.confinement, self.port)
        return self.said


def _serves(
    bench: Bench, name: str, confinement: Confinement, port: int, together: _Together
) -> str:
    return together.serves() or _wait(bench, name, confinement, port)


def _wait(bench: Bench, name: str, confinement: Confinement, port: int) -> str:
    with bench.server(name, confinement, port=port) as server, telling(server):
        seconds = wait_for_ping(
            server, within_s=bench.recipe.smoke.startup_s, ping_s=bench.limits.ping_s
        )
    return f"/ping on port {port} says 200 after {seconds:.2f} s"


def _trains_on_read_only_root(bench: Bench) -> str:
    limit_s = bench.limits.train_s
    with bench.containers.volume() as opt_ml, bench.containers.volume() as model:
        with TemporaryDirectory() as folder:
            write_job(Path(folder), bench.train, bench.root)
            bench.containers.fill(bench.facts.id, opt_ml, _OPT_ML, Path(folder))
        with (
            bench.containers.start(
                bench.facts.id,
                ["train"],
                env=TRAIN_ENV,
                hostname=HOST_NAME,
                mounts=[Mount(opt_ml, _OPT_ML), Mount(model, MODEL)],
                confinement=Confinement(read_only_root=True),
            ) as job,
            telling(job),
        ):
            try:
                return finish(job, job.wait(limit_s), limit_s)
            finally:
                bench.record.log("train.read-only-root", job.logs())
