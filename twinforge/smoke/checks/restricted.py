"""The image under other conditions: another port, another user, a read-only root file system."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

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
    """Give the steps of the group ``restricted``; each has a container of its own."""
    serving, smoke = bench.serving, bench.recipe.smoke
    yield {
        "serve.bind-port": partial(_serves, bench, "serve.bind-port", serving, _OTHER_PORT),
        "serve.user": partial(_serves, bench, "serve.user", replace(serving, user=smoke.user)),
        "serve.read-only-root": partial(
            _serves, bench, "serve.read-only-root", replace(serving, read_only_root=True)
        ),
        "train.read-only-root": partial(_trains_on_read_only_root, bench),
    }


def _serves(bench: Bench, name: str, confinement: Confinement, port: int = PORT) -> str:
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
