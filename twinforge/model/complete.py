"""From files that hold no problem to values that need no second look: defaults filled in, text parsed."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.model.condition import parse_condition
from twinforge.model.cuda import CudaChange, CudaLibraries, CudaLibrary, merge_libraries
from twinforge.model.fields import parse_apt_package, parse_snapshot
from twinforge.model.matrix import (
    Accelerator,
    Alias,
    Axis,
    Base,
    Bootstrap,
    Derived,
    Group,
    Matrix,
    Rule,
    Served,
)
from twinforge.model.merge import change_smoke, merge_packages, merge_system
from twinforge.model.recipe import (
    AptPackage,
    Exclusion,
    Override,
    Package,
    Recipe,
    Runtime,
    Shelf,
    SmokeChange,
    SystemPackages,
    Twin,
)
from twinforge.model.recipe_file import ConditionalPart, TwinPart
from twinforge.model.reference import Reference
from twinforge.model.registries import complete_registries
from twinforge.model.smoke import complete_smoke, complete_smoke_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.condition import Condition
    from twinforge.model.matrix_file import BasePart, MatrixFile
    from twinforge.model.recipe_file import OverridePart, RecipeFile
    from twinforge.model.source import Source
    from twinforge.yamlfile import Where

    AnySource = Source[RecipeFile] | Source[MatrixFile]

__all__ = ["complete_accelerators", "complete_axes", "complete_matrix", "complete_recipe"]

_NO_CHANGE = SmokeChange(None, None, None)


def complete_recipe(source: Source[RecipeFile], parent: Recipe | None = None) -> Recipe:
    """Return the recipe of a file without a problem, on top of the one that it extends."""
    own = _own_recipe(source)
    if parent is None:
        return own
    file, given = source.file, source.file.model_fields_set
    # one of the two replaces whichever of them the parent has
    program = own if given & {"program", "runtime"} else parent
    return Recipe(
        name=own.name,
        version=own.version if "version" in given else parent.version,
        description=own.description if "description" in given else parent.description,
        packages=merge_packages(parent.packages, own.packages),
        indexes=tuple(dict.fromkeys([*parent.indexes, *own.indexes])),
        parity_exempt={**parent.parity_exempt, **own.parity_exempt},
        system=merge_system(parent.system, own.system),
        steps=(*parent.steps, *own.steps),
        program=program.program,
        env={**parent.env, **own.env},
        template=own.template if "template" in given else parent.template,
        smoke=change_smoke(parent.smoke, complete_smoke_change(source, ("smoke",), file.smoke)),
        place=own.place,
        axes=tuple({axis.name: axis for axis in (*parent.axes, *own.axes)}.values()),
        overrides=(*parent.overrides, *own.overrides),
        runtime=program.runtime,
        cuda=merge_libraries(parent.cuda, own.cuda),
        without={**parent.without, **own.without},
        shelves=(*parent.shelves, *own.shelves),
    )


def complete_axes(source: AnySource) -> tuple[Axis, ...]:
    """Return the axes of a file whose key ``axes`` has no problem."""
    return tuple(
        Axis(name, values, source.place("axes", name, key=True))
        for name, values in source.file.axes.items()
    )


def complete_accelerators(source: Source[MatrixFile]) -> tuple[Accelerator, ...]:
    """Return the accelerators that a matrix declares, in its order."""
    return tuple(
        Accelerator(
            name,
            part.cuda or "",
            part.cudnn or "",
            _apt(part.packages),
            source.place("accelerators", name, key=True),
            _libraries(source, ("accelerators", name, "libraries"), part.libraries),
        )
        for name, part in source.file.accelerators.items()
    )


def complete_matrix(source: Source[MatrixFile]) -> Matrix:
    """Return the matrix of a file without a problem."""
    file = source.file
    return Matrix(
        bases=tuple(_base(source, name, part) for name, part in file.bases.items()),
        accelerators=complete_accelerators(source),
        axes=complete_axes(source),
        excludes=tuple(
            Rule(_plain(values), source.place("exclude", index), _when(values))
            for index, values in enumerate(file.exclude)
        ),
        groups={
            name: Group(
                _plain(values),
                source.place("groups", name, key=True),
                _when(values),
                values.get("sample", ""),
            )
            for name, values in file.groups.items()
        },
        aliases=tuple(
            Alias(tag, _plain(values), source.place("aliases", tag, key=True), _when(values))
            for tag, values in file.aliases.items()
        ),
        registries=complete_registries(source),
        includes=tuple(
            Rule(_plain(values), source.place("include", index), _when(values))
            for index, values in enumerate(file.include)
        ),
        derived=tuple(
            Derived(
                name,
                part.sources,
                dict(part.values),
                part.default or "",
                source.place("derive", name, key=True),
            )
            for name, part in file.derive.items()
        ),
        overrides=tuple(_overrides(source, file.overrides)),
        serves=tuple(
            Served(
                _plain(values),
                source.place("serves", use, instance, key=True),
                _when(values),
                use,
                instance,
            )
            for use, instances in file.serves.items()
            for instance, values in instances.items()
        ),
    )


def _own_recipe(source: Source[RecipeFile]) -> Recipe:
    file = source.file
    where = ("python", "packages")
    packages = tuple(_packages(source, where, file.python.packages))
    return Recipe(
        name=file.recipe,
        version=file.version,
        description=file.description,
        packages=tuple(package for _, package, when in packages if not when),
        indexes=file.python.indexes,
        parity_exempt={
            str(canonicalize_name(name)): why for name, why in file.parity.exempt.items()
        },
        system=SystemPackages(_apt(file.system.packages), _apt(file.system.cuda)),
        steps=file.steps,
        program=_program_folder(file),
        env=dict(file.env),
        template=file.template,
        smoke=complete_smoke(source, ("smoke",), file.smoke),
        place=source.place("recipe"),
        axes=complete_axes(source),
        overrides=(
            *(
                _override_of_package((*where, index), package, when)
                for index, package, when in packages
                if when
            ),
            *_overrides(source, file.overrides),
        ),
        runtime=_runtime(source),
        cuda=_libraries(source, ("cuda", "libraries"), file.cuda.libraries, dev=file.cuda.dev),
        without={
            str(canonicalize_name(name)): Exclusion(
                why, source.place("python", "without", name, key=True)
            )
            for name, why in file.python.without.items()
        },
        shelves=tuple(_shelves(source)),
    )


def _program_folder(file: RecipeFile) -> str:
    part = file.runtime
    if part is None:
        return file.program.rstrip("/")
    return str(PurePosixPath(part.predictor or part.trainer).parent)


def _runtime(source: Source[RecipeFile]) -> Runtime | None:
    part = source.file.runtime
    if part is None:
        return None
    predictor, trainer = (PurePosixPath(path).name for path in (part.predictor, part.trainer))
    return Runtime(predictor, trainer, source.place("runtime", key=True))


def _shelves(source: Source[RecipeFile]) -> Iterator[Shelf]:
    for index, part in enumerate(source.file.shelved):
        where = ("shelved", index)
        condition = parse_condition(part.when) if part.when else None
        yield Shelf(Rule({}, source.place(*where), condition), where, part.reason)


def _libraries(
    source: AnySource, where: Where, names: Sequence[str], *, dev: bool = False
) -> CudaLibraries:
    places = (source.place(*where, index) for index in range(len(names)))
    return CudaLibraries(tuple(map(CudaLibrary, names, places)), dev=dev)


def _plain(rule: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in rule.items() if name not in {"when", "sample"}}


def _when(rule: Mapping[str, str]) -> Condition | None:
    return parse_condition(rule["when"]) if "when" in rule else None


def _overrides(source: AnySource, parts: Sequence[OverridePart]) -> Iterator[Override]:
    for index, part in enumerate(parts):
        where = ("overrides", index)
        packages = _packages(source, (*where, "python", "packages"), part.python.packages)
        yield Override(
            Rule({}, source.place(*where), parse_condition(part.when)),
            where,
            dict(part.env),
            tuple(package for _, package, _ in packages),
            SystemPackages(_apt(part.system.packages), _apt(part.system.cuda)),
            complete_smoke_change(source, (*where, "smoke"), part.smoke),
            part.python.indexes,
            _cuda_change(source, (*where, "cuda"), part),
        )


def _cuda_change(source: AnySource, where: Where, part: OverridePart) -> CudaChange | None:
    if "cuda" not in part.model_fields_set:
        return None
    libraries = _libraries(source, (*where, "libraries"), part.cuda.libraries).libraries
    dev = part.cuda.dev if "dev" in part.cuda.model_fields_set else None
    return CudaChange(libraries, dev, source.place(*where, key=True))


def _override_of_package(where: Where, package: Package | Twin, when: str) -> Override:
    """Return what a package with a condition is: an override that adds it."""
    rule = Rule({}, package.place, parse_condition(when))
    return Override(rule, where, {}, (package,), SystemPackages((), ()), _NO_CHANGE)


def _packages(
    source: AnySource, where: Where, parts: Sequence[str | ConditionalPart | TwinPart]
) -> Iterator[tuple[int, Package | Twin, str]]:
    """Yield each package with its index and its condition, which is empty for most."""
    for index, part in enumerate(parts):
        place = source.place(*where, index)
        if isinstance(part, TwinPart):
            # cpu before cuda, whatever the file's order: what follows from it must not move
            names = {kind: part.twin[kind] for kind in ("cpu", "cuda")}
            yield index, Twin(names, part.version, place), part.when
        elif isinstance(part, ConditionalPart):
            yield index, Package(Requirement(part.package), place, part.index), part.when
        else:
            yield index, Package(Requirement(part), place), ""


def _apt(packages: Sequence[str]) -> tuple[AptPackage, ...]:
    return tuple(AptPackage(*parse_apt_package(package)) for package in packages)


def _base(source: Source[MatrixFile], name: str, part: BasePart) -> Base:
    cuda = part.cuda or ""
    place = source.place("bases", name, key=True)
    os = part.os or _os_of_name(name, cuda, source.file)
    if part.image is not None:
        return Base(name, os, cuda, Reference.parse(part.image), place)
    snapshot = parse_snapshot(part.snapshot) if part.snapshot else ""
    bootstrap = Bootstrap(part.bootstrap or "", snapshot, _apt(part.packages), part.components)
    return Base(name, os, cuda, bootstrap, place)


def _os_of_name(name: str, cuda: str, file: MatrixFile) -> str:
    """Return what ``cuda-<cuda>-<os>`` says, where ``<os>`` is known; else the name itself."""
    prefix = f"cuda-{cuda}-"
    rest = name.removeprefix(prefix)
    known = {*file.axes["os"], *file.bases}
    return rest if cuda and name.startswith(prefix) and rest in known else name
