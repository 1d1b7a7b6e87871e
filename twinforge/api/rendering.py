"""``render``: the committed files of every variant, and whether they still follow from the sources."""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import StaleError
from twinforge.render.dockerfile import render_files
from twinforge.wholefile import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import VariantLock
    from twinforge.model.variant import Variant

__all__ = [
    "Rendered",
    "check_rendered",
    "locked_variant",
    "render_variant",
    "render_variants",
    "write_rendered",
]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A variant's files: path relative to its folder -> text."""

    variant: Variant
    files: Mapping[str, str]


def render_variants(workspace: Workspace, variants: Sequence[Variant]) -> tuple[Rendered, ...]:
    """Return the files of the variants as they follow from recipe, matrix and lock.

    Raises:
        StaleError: A recipe is not locked, or a variant is missing in its lock.
    """
    return tuple(
        Rendered(variant, render_variant(workspace, variant, locked_variant(workspace, variant)))
        for variant in variants
    )


def locked_variant(workspace: Workspace, variant: Variant) -> VariantLock:
    """Return a variant's committed lock.

    Raises:
        StaleError: Its recipe is not locked, or not with this variant.
    """
    lock = workspace.lock_of(variant.recipe)
    hint = f"run `twinforge lock {variant.recipe}`"
    if lock is None:
        message = f"the recipe '{variant.recipe}' is not locked"
        raise StaleError(message, hint=hint)
    try:
        return lock.variant(variant.slug)
    except KeyError as error:
        message = f"the variant '{variant.id}' is not in its recipe's lock"
        raise StaleError(message, hint=hint) from error


def render_variant(workspace: Workspace, variant: Variant, locked: VariantLock) -> dict[str, str]:
    """Return one variant's files under a given lock."""
    recipe = workspace.project.recipe_for(variant)
    template = (workspace.root / recipe.template).read_text("utf-8") if recipe.template else ""
    return render_files(
        recipe,
        variant,
        locked,
        workspace.base_locks.get(variant.base.name),
        template=template,
    )


def write_rendered(root: Path, rendered: Sequence[Rendered]) -> tuple[str, ...]:
    """Write what differs, remove what no variant has any more, return the changed paths, sorted.

    All variants of a recipe are given together; only its ``variants`` folder is touched.
    """
    changed: list[str] = []
    for item in rendered:
        folder = root / item.variant.folder
        for name, text in item.files.items():
            path = folder / name
            if _committed(path) != text:
                write_text(path, text)
                changed.append(f"{item.variant.folder}/{name}")
    for orphan in _orphans(root, rendered):
        path = root / orphan
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        changed.append(orphan)
    return tuple(sorted(changed))


def check_rendered(root: Path, rendered: Sequence[Rendered], *, orphans: bool = True) -> None:
    """Compare the committed files with what follows from the sources.

    ``orphans`` also looks for files of vanished variants; all variants of a recipe must be given.

    Raises:
        StaleError: They differ; the message holds a unified diff.
    """
    parts: list[str] = []
    for item in rendered:
        for name, text in item.files.items():
            path = root / item.variant.folder / name
            parts += difflib.unified_diff(
                (_committed(path) or "").splitlines(keepends=True),
                text.splitlines(keepends=True),
                f"committed/{item.variant.folder}/{name}",
                f"rendered/{item.variant.folder}/{name}",
            )
    if orphans:
        parts += [f"orphan: {path}\n" for path in _orphans(root, rendered)]
    if parts:
        message = f"the generated files are stale:\n{''.join(parts).rstrip()}"
        raise StaleError(message, hint="run `twinforge render` and commit the result")


def _committed(path: Path) -> str | None:
    """Return what a generated file holds, or None where there is none; what is no UTF-8 differs."""
    return path.read_text("utf-8", errors="replace") if path.is_file() else None


def _orphans(root: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Return generated files of rendered variants, and folders of vanished ones, that must go.

    A folder of a variant that was not rendered this time is no orphan while its recipe has it; that
    is known only when all variants of the recipe were rendered, which is what callers do.
    """
    expected = {item.variant.folder: set(item.files) for item in rendered}
    orphans: list[str] = []
    for recipe in dict.fromkeys(item.variant.recipe for item in rendered):
        parent = root / "images" / recipe / "variants"
        if not parent.is_dir():
            continue
        for folder in sorted(parent.iterdir()):
            relative = folder.relative_to(root).as_posix()
            if relative not in expected:
                orphans.append(relative)
                continue
            orphans += [
                f"{relative}/{name}"
                for path in sorted(folder.rglob("*"))
                if path.is_file()
                and (name := path.relative_to(folder).as_posix()) not in expected[relative]
            ]
    return orphans
