"""The lock's files: ``images/bases.lock.json`` and ``images/<recipe>/lock.json``.

Locks are committed and read by whoever checks the project out, and their values end in Dockerfiles
and requirement files: nothing is taken that does not have the form of what it stands for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)

from twinforge.errors import TwinforgeError
from twinforge.lock.locked import BaseLock, Deb, RecipeLock, VariantLock, Wheel
from twinforge.wholefile import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "BaseLock",
    "RecipeLock",
    "VariantLock",
    "Wheel",
    "bases_path",
    "read_bases",
    "read_recipe_lock",
    "recipe_lock_path",
    "write_bases",
    "write_recipe_lock",
]

VERSION = 1
_DAMAGED = "restore it from git, or delete it and run `twinforge lock`"

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
_Distribution = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
_PythonVersion = Annotated[str, StringConstraints(pattern=r"^[0-9][0-9a-z.!+]*$")]
_Filename = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._!+-]*\.whl$")]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]
_Deb = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?$")]
_DebVersion = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+~:-]*$")]
# No part of it is `..`: each begins with something else than a dot, but for the `./` of flat archives.
_DebPath = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\./)?([A-Za-z0-9_+~%-][A-Za-z0-9._+~%-]*/)*[A-Za-z0-9][A-Za-z0-9._+~%-]*\.deb$"
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _WheelEntry(_Strict):
    name: _Distribution
    version: _PythonVersion
    filename: _Filename
    sha256: _Sha256
    size_bytes: Annotated[int, Field(ge=0)]
    group: Literal["common", "device"]


class _DebEntry(_Strict):
    version: _DebVersion
    path: _DebPath
    sha256: _Sha256


def _apt_tag(value: object) -> str:
    return "version" if isinstance(value, str) else "file"


_AptEntry = Annotated[
    Annotated[_DebVersion, Tag("version")] | Annotated[_DebEntry, Tag("file")],
    Discriminator(_apt_tag),
]
"""A version alone where the archive could not be asked for the file."""


class _VariantEntry(_Strict):
    slug: _Name
    base: _Name
    apt: dict[_Deb, _AptEntry]
    wheels: list[_WheelEntry]


class _RecipeFile(_Strict):
    version: Literal[1]
    recipe: _Name
    checksum: _Sha256
    variants: list[_VariantEntry]


class _BaseEntry(_Strict):
    kind: Literal["bootstrap", "image"]
    digest: _Digest
    packages: dict[_Deb, _DebVersion]
    reason: str
    inputs: _Sha256


class _BasesFile(_Strict):
    version: Literal[1]
    bases: dict[_Name, _BaseEntry]


_File = TypeVar("_File", _RecipeFile, _BasesFile)


def bases_path(root: Path) -> Path:
    """Return where the lock of all bases lives."""
    return root / "images" / "bases.lock.json"


def recipe_lock_path(root: Path, recipe: str) -> Path:
    """Return where the lock of a recipe lives."""
    return root / "images" / recipe / "lock.json"


def read_bases(root: Path) -> dict[str, BaseLock]:
    """Return the locked bases by name; empty where nothing was locked yet.

    Raises:
        TwinforgeError: The file can't be read or is not a lock.
    """
    file = _read(bases_path(root), root, _BasesFile)
    if file is None:
        return {}
    return {
        name: BaseLock(name, entry.kind, entry.digest, entry.packages, entry.reason, entry.inputs)
        for name, entry in file.bases.items()
    }


def write_bases(root: Path, bases: Mapping[str, BaseLock]) -> None:
    """Write the lock of all bases, in place of what was there.

    Raises:
        TwinforgeError: A value does not have the form that reading asks for.
    """
    document = {
        "version": VERSION,
        "bases": {
            name: {
                "kind": base.kind,
                "digest": base.digest,
                "packages": dict(base.packages),
                "reason": base.reason,
                "inputs": base.inputs,
            }
            for name, base in bases.items()
        },
    }
    _write(bases_path(root), root, _BasesFile, document)


def read_recipe_lock(root: Path, recipe: str) -> RecipeLock | None:
    """Return the lock of a recipe, or None where it was never locked.

    Raises:
        TwinforgeError: The file can't be read, is not a lock, or is another recipe's.
    """
    path = recipe_lock_path(root, recipe)
    file = _read(path, root, _RecipeFile)
    if file is None:
        return None
    if file.recipe != recipe:
        message = f"{_relative(path, root)} is the lock of '{file.recipe}', not of '{recipe}'"
        raise TwinforgeError(message, hint=_DAMAGED)
    return RecipeLock(
        file.recipe,
        file.checksum,
        tuple(
            VariantLock(
                entry.slug,
                entry.base,
                tuple(_deb(name, entry.apt[name]) for name in sorted(entry.apt)),
                tuple(
                    Wheel(w.name, w.version, w.filename, w.sha256, w.size_bytes, w.group)
                    for w in sorted(entry.wheels, key=lambda wheel: wheel.name)
                ),
            )
            for entry in file.variants
        ),
    )


def write_recipe_lock(root: Path, lock: RecipeLock) -> None:
    """Write the lock of a recipe, in place of what was there.

    Raises:
        TwinforgeError: A value does not have the form that reading asks for.
    """
    document = {
        "version": VERSION,
        "recipe": lock.recipe,
        "checksum": lock.checksum,
        "variants": [
            {
                "slug": variant.slug,
                "base": variant.base,
                "apt": {deb.name: _deb_entry(deb) for deb in variant.apt},
                "wheels": [
                    {
                        "name": wheel.name,
                        "version": wheel.version,
                        "filename": wheel.filename,
                        "sha256": wheel.sha256,
                        "size_bytes": wheel.size_bytes,
                        "group": wheel.group,
                    }
                    for wheel in sorted(variant.wheels, key=lambda wheel: wheel.name)
                ],
            }
            for variant in lock.variants
        ],
    }
    _write(recipe_lock_path(root, lock.recipe), root, _RecipeFile, document)


def _deb(name: str, entry: str | _DebEntry) -> Deb:
    if isinstance(entry, str):
        return Deb(name, entry)
    return Deb(name, entry.version, entry.path, entry.sha256)


def _deb_entry(deb: Deb) -> str | dict[str, str]:
    if not deb.path:
        return deb.version
    return {"version": deb.version, "path": deb.path, "sha256": deb.sha256}


def _read(path: Path, root: Path, model: type[_File]) -> _File | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{_relative(path, root)} can't be read: {error.strerror}"
        raise TwinforgeError(message) from error
    return _decode(text, _relative(path, root), model)


def _decode(text: bytes, name: str, model: type[_File]) -> _File:
    try:
        file = model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = (
            f"{name}: {where + ': ' if where else ''}{first['msg'][:1].lower()}{first['msg'][1:]}"
        )
        hint = _DAMAGED
        if where == "version":
            hint = f"this program reads version {VERSION} of locks; use the one that wrote it"
        raise TwinforgeError(message, hint=hint) from error
    if isinstance(file, _RecipeFile):
        _refuse_twice(name, (entry.slug for entry in file.variants))
        for entry in file.variants:
            _refuse_twice(f"{name}: {entry.slug}", (wheel.name for wheel in entry.wheels))
            _refuse_other_files(f"{name}: {entry.slug}", entry)
    return file


def _refuse_twice(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"{where}: '{name}' stands there twice"
            raise TwinforgeError(message, hint=_DAMAGED)
        seen.add(name)


def _refuse_other_files(where: str, entry: _VariantEntry) -> None:
    """Refuse a Debian package with the file of another one: that file is what would be installed."""
    for deb in (_deb(name, found) for name, found in entry.apt.items()):
        if deb.path and not deb.is_its_file:
            message = f"{where}: '{deb.path}' is not the file of '{deb}'"
            raise TwinforgeError(message, hint=_DAMAGED)


def _write(path: Path, root: Path, model: type[_File], document: dict[str, object]) -> None:
    text = (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    _decode(text, _relative(path, root), model)
    write_text(path, text.decode())


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
