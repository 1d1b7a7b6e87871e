"""The project's own data: ``compat/*.yaml``, which follows the schema of the files it adds to.

``compat/torch.yaml`` adds to ``frameworks/torch.yaml``, ``compat/cuda.yaml`` to ``cuda.yaml``. Every
section may be left out; records replace those they are told by the same fields from, and the rest is
added. A file names its own sources, which facts then show with the file's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, ValidationError, create_model

from twinforge.compat.active import NOTHING, Additions, in_force
from twinforge.compat.cudnn_tables import CudnnTable
from twinforge.compat.framework_tables import FrameworkTable, load_names_table
from twinforge.compat.image_tables import ImageTable
from twinforge.compat.library_tables import LibraryTable
from twinforge.compat.tablefile import Table, load
from twinforge.compat.tables import CudaTable, InstanceTable, SystemTable
from twinforge.compat.wheelless import WheellessTable
from twinforge.errors import Problem, ProjectError
from twinforge.model.inside import ProjectFiles, read_document
from twinforge.model.source import read_source
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import Document, Where, show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["FOLDER", "data_file", "load_additions", "overlay_names"]

FOLDER = "compat"
_TABLES: Mapping[str, type[Table]] = MappingProxyType(
    {
        "instances": InstanceTable,
        "cuda": CudaTable,
        "cudnn": CudnnTable,
        "libraries": LibraryTable,
        "systems": SystemTable,
        "images": ImageTable,
        "wheelless": WheellessTable,
    }
)


def overlay_names() -> tuple[str, ...]:
    """Return what files in the folder may be called, without ``.yaml``."""
    return (*_TABLES, *load_names_table().frameworks)


def data_file(name: str) -> str:
    """Return the data file that a project's file adds to.

    >>> data_file("torch"), data_file("cuda")
    ('frameworks/torch.yaml', 'cuda.yaml')
    """
    return f"{name}.yaml" if name in _TABLES else f"frameworks/{name}.yaml"


def load_additions(root: Path) -> Additions:
    """Read a project's ``compat/*.yaml``.

    Raises:
        ProjectError: Something is wrong; it holds all problems of all files.
    """
    files = ProjectFiles(root.resolve())
    folder = files.root / FOLDER
    problems: list[Problem] = []
    tables: dict[str, Table] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        shown = f"{FOLDER}/{path.name}"
        if path.suffix not in {".yaml", ".yml"}:
            continue
        name_problem = _name_problem(path.stem, path.suffix)
        if name_problem:
            problems.append(Problem(shown, 0, 0, "", name_problem))
            continue
        found = _read(files, shown, path.stem, problems)
        if found is not None:
            tables[data_file(path.stem)] = found
    if problems:
        raise ProjectError(problems)
    if not tables:
        return NOTHING
    additions = Additions(MappingProxyType(tables))
    _check_together(additions)
    return additions


@dataclass(frozen=True, slots=True)
class _ListDocument(Document):
    """A document whose lists are lists, as the data files' schema has them."""

    def value(self, as_written: Sequence[Where] = ()) -> dict[str, object]:
        """See :meth:`twinforge.yamlfile.Document.value`."""
        return cast("dict[str, object]", _lists(Document.value(self, as_written)))


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_lists(item) for item in value]
    return value


def _name_problem(name: str, suffix: str) -> str:
    names = overlay_names()
    if suffix != ".yaml":
        return f"data files end in .yaml; rename it to {show_value(f'{name}.yaml')}"
    if name not in names:
        return f"there is no data called {show_value(name)}{known_or_close(name, names)}"
    return ""


def _read(files: ProjectFiles, path: str, name: str, problems: list[Problem]) -> Table | None:
    parsed = read_document(files, path, problems)
    if parsed is None:
        return None
    document = _ListDocument(parsed.path, parsed.root, parsed.problems)
    model = _sections(_TABLES.get(name, FrameworkTable))
    _, found = read_source(document, model)
    # What is wrong with the file as a whole are its sources, which are told with their places.
    found = [*(problem for problem in found if problem.where), *_source_problems(document)]
    problems += found
    if found:
        return None
    return model.model_validate(_with_own_sources(document.value(), path))


def _source_problems(document: Document) -> Iterator[Problem]:
    """Yield the places that cite a source which is not named, and the names that nothing cites."""
    value = document.value()
    named = value.get("sources")
    names = [str(name) for name in named] if isinstance(named, dict) else []
    cited = set()
    for where, key in _citations(value, ()):
        cited.add(key)
        if key not in names:
            message = f"no source is called {show_value(key)}{known_or_close(key, names)}"
            yield document.problem(where, message)
    for name in names:
        if name not in cited:
            yield document.problem(("sources", name), "nothing cites this source", key=True)


def _citations(value: object, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _citations(item, (*where, index))
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        inside = (*where, name)
        if name == "source" and isinstance(item, list):
            yield from (((*inside, n), str(key)) for n, key in enumerate(item))
        elif name == "source_of" and isinstance(item, dict):
            for field, keys in item.items():
                if isinstance(keys, list):
                    yield from (((*inside, field, n), str(key)) for n, key in enumerate(keys))
        elif inside != ("sources",):
            yield from _citations(item, inside)


@cache
def _sections(table: type[Table]) -> type[Table]:
    """Return the schema of a file that may leave sections out.

    What a section says about others is checked when it is put together with the data itself.
    """
    fields: dict[str, Any] = {}
    for name, field in table.model_fields.items():
        if name in Table.model_fields:
            continue
        annotation = field.rebuild_annotation()
        if field.annotation is not None and field.annotation.__class__ is not type:
            container = getattr(field.annotation, "__origin__", None)
            if container in {list, dict}:
                fields[name] = (annotation, Field(default_factory=container))
                continue
        fields[name] = (annotation | None, None)
    return cast("type[Table]", create_model(f"{table.__name__}Sections", __base__=Table, **fields))


def _with_own_sources(value: dict[str, object], path: str) -> object:
    """Name a file's sources so that they are told from those of the data and of other files."""
    sources = cast("dict[str, str]", value["sources"])
    renamed = {f"{path}:{key}": f"{text} ({path})" for key, text in sources.items()}
    rest = {name: item for name, item in value.items() if name not in {"sources", "habits"}}
    return {**cast("dict[str, object]", _recite(rest, path)), "sources": renamed}


def _recite(value: object, path: str) -> object:
    if isinstance(value, list):
        return [_recite(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    cited: dict[object, object] = {}
    for name, item in value.items():
        if name == "source" and isinstance(item, list):
            cited[name] = [f"{path}:{key}" for key in item]
        elif name == "source_of" and isinstance(item, dict):
            cited[name] = {field: [f"{path}:{key}" for key in keys] for field, keys in item.items()}
        else:
            cited[name] = _recite(item, path)
    return cited


def _check_together(additions: Additions) -> None:
    problems = []
    for name in additions.tables:
        stem = name.removeprefix("frameworks/").removesuffix(".yaml")
        try:
            with in_force(additions):
                load(_TABLES.get(stem, FrameworkTable), name)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                message = str(detail.get("ctx", {}).get("error", detail["msg"]))
                problems.append(Problem(f"{FOLDER}/{stem}.yaml", 0, 0, "", message))
    if problems:
        raise ProjectError(problems)
