"""From files that hold no problem to values that need no second look: defaults filled in, text parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.model.fields import parse_apt_package, parse_snapshot
from twinforge.model.files import TwinPart
from twinforge.model.matrix import (
    Accelerator,
    Alias,
    Axis,
    Base,
    Bootstrap,
    Matrix,
    Rule,
)
from twinforge.model.recipe import (
    AptPackage,
    Invocation,
    Package,
    Recipe,
    Smoke,
    SystemPackages,
    TrainSmoke,
    Twin,
)
from twinforge.model.reference import Reference
from twinforge.model.registries import complete_registries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.model.files import BasePart, MatrixFile, RecipeFile, SmokePart
    from twinforge.model.source import Source

__all__ = ["complete_matrix", "complete_recipe"]


def complete_recipe(source: Source[RecipeFile]) -> Recipe:
    """Return the recipe of a file without a problem."""
    file = source.file
    return Recipe(
        name=file.recipe,
        version=file.version,
        description=file.description,
        packages=tuple(_packages(source)),
        indexes=file.python.indexes,
        parity_exempt={
            str(canonicalize_name(name)): why for name, why in file.parity.exempt.items()
        },
        system=SystemPackages(_apt(file.system.packages), _apt(file.system.cuda)),
        steps=file.steps,
        program=file.program.rstrip("/"),
        env=dict(file.env),
        template=file.template,
        smoke=_smoke(file.smoke),
        place=source.place("recipe"),
    )


def complete_matrix(source: Source[MatrixFile]) -> Matrix:
    """Return the matrix of a file without a problem."""
    file = source.file
    return Matrix(
        bases=tuple(_base(source, name, part) for name, part in file.bases.items()),
        accelerators=tuple(
            Accelerator(
                name,
                part.cuda or "",
                part.cudnn or "",
                _apt(part.packages),
                source.place("accelerators", name, key=True),
            )
            for name, part in file.accelerators.items()
        ),
        axes=tuple(
            Axis(name, values, source.place("axes", name, key=True))
            for name, values in file.axes.items()
        ),
        excludes=tuple(
            Rule(dict(values), source.place("exclude", index))
            for index, values in enumerate(file.exclude)
        ),
        groups={
            name: Rule(dict(values), source.place("groups", name, key=True))
            for name, values in file.groups.items()
        },
        aliases=tuple(
            Alias(tag, dict(values), source.place("aliases", tag, key=True))
            for tag, values in file.aliases.items()
        ),
        registries=complete_registries(source),
    )


def _packages(source: Source[RecipeFile]) -> Iterator[Package | Twin]:
    for index, part in enumerate(source.file.python.packages):
        place = source.place("python", "packages", index)
        if isinstance(part, TwinPart):
            # cpu before cuda, whatever the file's order: what follows from it must not move
            names = {kind: part.twin[kind] for kind in ("cpu", "cuda")}
            yield Twin(names, part.version, place)
        else:
            yield Package(Requirement(part), place)


def _apt(packages: Sequence[str]) -> tuple[AptPackage, ...]:
    return tuple(AptPackage(*parse_apt_package(package)) for package in packages)


def _smoke(part: SmokePart) -> Smoke:
    train = None
    if part.train:
        train = TrainSmoke(dict(part.train.channels), dict(part.train.hyperparameters))
    invocations = tuple(
        Invocation(
            content_type=one.content_type,
            body=one.body,
            status=one.status,
            accept=one.accept,
            json=dict(one.json_values),
            labels=one.labels,
            accuracy=float(one.accuracy),
        )
        for one in part.invocations
    )
    return Smoke(train, invocations, part.startup_s)


def _base(source: Source[MatrixFile], name: str, part: BasePart) -> Base:
    cuda = part.cuda or ""
    place = source.place("bases", name, key=True)
    os = part.os or _os_of_name(name, cuda, source.file)
    if part.image is not None:
        return Base(name, os, cuda, Reference.parse(part.image), place)
    snapshot = parse_snapshot(part.snapshot) if part.snapshot else ""
    bootstrap = Bootstrap(part.bootstrap or "", snapshot, _apt(part.packages))
    return Base(name, os, cuda, bootstrap, place)


def _os_of_name(name: str, cuda: str, file: MatrixFile) -> str:
    """Return what ``cuda-<cuda>-<os>`` says, where ``<os>`` is known; else the name itself."""
    prefix = f"cuda-{cuda}-"
    rest = name.removeprefix(prefix)
    known = {*file.axes["os"], *file.bases}
    return rest if cuda and name.startswith(prefix) and rest in known else name
