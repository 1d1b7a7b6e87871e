"""The checksum of all that decides a lock, by which a stale lock is seen."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from twinforge.model.cuda import merge_libraries
from twinforge.model.matrix import Bootstrap
from twinforge.model.merge import variant_recipe
from twinforge.model.recipe import Twin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.model.matrix import Base
    from twinforge.model.recipe import AptPackage, Package, Recipe
    from twinforge.model.variant import Variant

__all__ = ["base_checksum", "inputs_checksum"]

RULES = 1
"""Raised when the same inputs must be resolved in another way than before."""


def inputs_checksum(recipe: Recipe, variants: Sequence[Variant], bases: Mapping[str, Base]) -> str:
    """Return the sha256, in hexadecimal, of everything that decides the lock of ``recipe``.

    That is: its packages, twins, indexes and exemptions, its system packages, and for each variant
    its values, accelerator and base. Not: description, version, program, environment, smoke checks,
    and not the order of packages, none of which changes what is resolved. What overrides change for
    a variant stands with it, and nothing does where they change none of this.
    """
    used = sorted({variant.base.name for variant in variants})
    document = {
        "rules": RULES,
        "recipe": recipe.name,
        "packages": sorted((_package(package) for package in recipe.packages), key=json.dumps),
        "indexes": list(recipe.indexes),
        "exempt": sorted(canonicalize_name(name) for name in recipe.parity_exempt),
        "system": {"every": _apt(recipe.system.every), "cuda": _apt(recipe.system.cuda)},
        **_stays_out(recipe),
        "bases": {name: _source(bases[name]) for name in used},
        "variants": [
            {
                "values": [list(pair) for pair in variant.values],
                "python": variant.python,
                "base": variant.base.name,
                "kind": variant.accelerator.kind,
                "packages": _apt(variant.accelerator.packages),
                **_libraries(own, variant),
                **_overridden(recipe, own),
            }
            for variant in variants
            for own in (variant_recipe(recipe, variant),)
        ],
    }
    return _sha256(document)


def base_checksum(base: Base) -> str:
    """Return the sha256, in hexadecimal, of a base's declaration: what decides its own lock."""
    return _sha256({"rules": RULES, "base": _source(base)})


def _sha256(document: object) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _stays_out(recipe: Recipe) -> dict[str, object]:
    return {"without": sorted(recipe.without)} if recipe.without else {}


def _libraries(own: Recipe, variant: Variant) -> dict[str, object]:
    """Return what decides the packages of CUDA's libraries, where some are asked for."""
    accelerator = variant.accelerator
    wanted = merge_libraries(own.cuda, accelerator.libraries)
    if accelerator.kind != "cuda" or not wanted.libraries:
        return {}
    names = [library.name for library in wanted.libraries]
    return {"cuda": [accelerator.cuda, accelerator.cudnn, names, wanted.dev]}


def _overridden(recipe: Recipe, own: Recipe) -> dict[str, object]:
    changed: dict[str, object] = {}
    if own.packages != recipe.packages:
        changed["python"] = sorted(map(_package, own.packages), key=json.dumps)
    if own.indexes != recipe.indexes:
        changed["indexes"] = list(own.indexes)
    if own.system != recipe.system:
        changed["system"] = {"every": _apt(own.system.every), "cuda": _apt(own.system.cuda)}
    return changed


def _package(package: Package | Twin) -> list[object]:
    if isinstance(package, Twin):
        return ["twin", sorted(package.names.items()), package.version]
    return ["package", str(package.requirement), *([package.index] if package.index else [])]


def _apt(packages: Iterable[AptPackage]) -> list[str]:
    return sorted(str(package) for package in packages)


def _source(base: Base) -> dict[str, object]:
    if isinstance(base.source, Bootstrap):
        return {
            "bootstrap": base.source.suite,
            "snapshot": base.source.snapshot,
            "packages": _apt(base.source.packages),
            **({"components": list(base.source.components)} if base.source.components else {}),
        }
    return {"image": str(base.source)}
