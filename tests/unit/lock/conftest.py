"""Recipes and variants for tests of locking, made without any file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from twinforge.model.matrix import Accelerator, Base, Bootstrap, Rule
from twinforge.model.place import Place
from twinforge.model.recipe import (
    AptPackage,
    Override,
    Package,
    Recipe,
    Smoke,
    SmokeChange,
    SystemPackages,
    Twin,
)
from twinforge.model.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _recipe(
    *packages: str | Mapping[str, str],
    exempt: Mapping[str, str] | None = None,
    system: SystemPackages | None = None,
    indexes: tuple[str, ...] = (),
) -> Recipe:
    """Return a recipe of requirements and twins (``{"cpu": ..., "cuda": ..., "version": ...}``).

    The package at index ``n`` stands in line ``n + 1``.
    """
    parts: list[Package | Twin] = []
    for line, package in enumerate(packages, start=1):
        place = Place("recipes/digits.yaml", line, 5)
        if isinstance(package, str):
            parts.append(Package(Requirement(package), place))
        else:
            names = {kind: name for kind, name in package.items() if kind != "version"}
            parts.append(Twin(names, package.get("version", ""), place))
    return Recipe(
        name="digits",
        version="1.0.0",
        description="Digits.",
        packages=tuple(parts),
        indexes=indexes,
        parity_exempt=exempt or {},
        system=system or SystemPackages((), ()),
        steps=(),
        program="images/digits/program",
        env={},
        template="",
        smoke=Smoke(None, (), 30),
        place=Place("recipes/digits.yaml", 1, 1),
    )


def _variants(
    accelerators: Mapping[str, str],
    *,
    pythons: tuple[str, ...] = ("3.11",),
    packages: tuple[AptPackage, ...] = (),
) -> tuple[Variant, ...]:
    """Return one variant per accelerator (name -> CUDA version) and Python."""
    place = Place("matrix.yaml", 1, 1)
    base = Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), place)
    return tuple(
        Variant(
            "digits",
            "1.0.0",
            (("accelerator", name), ("python", python)),
            Accelerator(name, cuda, "", packages if cuda else (), place),
            base,
            python,
        )
        for name, cuda in accelerators.items()
        for python in pythons
    )


def _override(
    *packages: str | Mapping[str, str],
    env: Mapping[str, str] | None = None,
    system: SystemPackages | None = None,
) -> Override:
    """Return an override with these packages; line ``n + 50`` is that of the package ``n``."""
    place = Place("recipes/digits.yaml", 49, 5)
    parts = tuple(
        replace(part, place=replace(part.place, line=part.place.line + 49))
        for part in _recipe(*packages).packages
    )
    return Override(
        Rule({}, place),
        ("overrides", 0),
        env or {},
        parts,
        system or SystemPackages((), ()),
        SmokeChange(None, None, None),
    )


@pytest.fixture
def make_override() -> Callable[..., Override]:
    """Make overrides."""
    return _override


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """Make recipes."""
    return _recipe


@pytest.fixture
def make_variants() -> Callable[..., tuple[Variant, ...]]:
    """Make variants."""
    return _variants
