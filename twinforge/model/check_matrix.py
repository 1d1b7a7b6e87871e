"""What a matrix's fields can't say one by one: names that must be known, and what goes together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.model.alias import PLACEHOLDERS, parse_braces
from twinforge.model.check_axes import REQUIRED_AXES, check_axes
from twinforge.model.check_parts import duplicate_apt, twice
from twinforge.model.check_rules import check_rules
from twinforge.model.registries import check_registries
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.errors import Problem
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.matrix_file import BasePart, MatrixFile
    from twinforge.model.source import Source
    from twinforge.model.vocabulary import Vocabulary
    from twinforge.yamlfile import Where

__all__ = ["COMPONENTS", "check_matrix"]

COMPONENTS = (
    *("main", "contrib", "non-free", "non-free-firmware"),
    *("restricted", "universe", "multiverse"),
)
"""What Debian and Ubuntu divide their archives into."""


def check_matrix(
    source: Source[MatrixFile], vocabulary: Vocabulary, files: ProjectFiles
) -> Iterator[Problem]:
    """Yield the problems of a matrix whose fields were read, but not those of its variants.

    Args:
        source: The matrix, as far as it is right.
        vocabulary: The words of the project.
        files: The project's files.
    """
    file = source.file
    # an accelerator with a problem inside is declared all the same
    declared = source.document.node(("accelerators",))
    accelerators = list(declared.keys) if declared else None
    if source.sound("bases"):
        yield from _check_bases(source)
    if source.sound("accelerators"):
        for name, accelerator in file.accelerators.items():
            where = ("accelerators", name)
            if accelerator.cudnn and not accelerator.cuda:
                yield source.problem("cuDNN needs a version of CUDA", *where, "cudnn", key=True)
            yield from duplicate_apt(source, (*where, "packages"), accelerator.packages)
            yield from twice(source, (*where, "libraries"), accelerator.libraries)
            if accelerator.libraries and not accelerator.cuda:
                message = "libraries need a version of CUDA"
                yield source.problem(message, *where, "libraries", key=True)
    if source.sound("axes"):
        for name in (axis for axis in REQUIRED_AXES if axis not in file.axes):
            yield source.problem(f"the axis {show_value(name)} is missing", "axes", key=True)
        yield from check_axes(source, file.axes, accelerators)
        yield from check_rules(source, vocabulary, files, accelerators)
    if source.sound("aliases", "axes"):
        yield from _check_alias_tags(source, [*vocabulary.axes, *vocabulary.derived])
    if source.sound("registry") and file.registry:
        yield from check_registries(source, vocabulary.recipes)


def _check_bases(source: Source[MatrixFile]) -> Iterator[Problem]:
    if not source.file.bases:
        yield source.problem("there is no base; at least one is needed", "bases", key=True)
    for name, base in source.file.bases.items():
        yield from _check_base(source, name, base)


def _check_base(source: Source[MatrixFile], name: str, base: BasePart) -> Iterator[Problem]:
    where = ("bases", name)
    if (base.image is None) == (base.bootstrap is None):
        which = "neither is" if base.image is None else "both are"
        message = f"a base has either image or bootstrap; {which} given"
        yield source.problem(message, *where, key=True)
        return
    others = ("snapshot", "components", "packages") if base.image is not None else ("cuda",)
    owner = "bootstrapped base" if base.image is not None else "base from an image"
    for key in others:
        if key in base.model_fields_set:
            message = f"{show_value(key)} belongs to a {owner}"
            yield source.problem(message, *where, key, key=True)
    yield from duplicate_apt(source, (*where, "packages"), base.packages)
    yield from _check_components(source, (*where, "components"), base.components)


def _check_components(
    source: Source[MatrixFile], where: Where, components: Sequence[str]
) -> Iterator[Problem]:
    yield from twice(source, where, components)
    for index, component in enumerate(components):
        if component not in COMPONENTS:
            message = f"{show_value(component)} is not a component"
            message += known_or_close(component, COMPONENTS)
            yield source.problem(message, *where, index)
    if components and "main" not in components:
        message = "'main' is missing, without which there is no system"
        yield source.problem(message, *where, key=True)


def _check_alias_tags(source: Source[MatrixFile], axes: Sequence[str]) -> Iterator[Problem]:
    known = [*PLACEHOLDERS, *axes]
    for tag in source.file.aliases:
        names, rest = parse_braces(tag)
        for name in names:
            if name not in known:
                message = f"{show_value('{' + name + '}')} stands for nothing"
                message += known_or_close(name, known)
                yield source.problem(message, "aliases", tag, key=True)
        if not re.fullmatch(r"[A-Za-z0-9._-]*", rest):
            message = f"{show_value(tag)} can't become a tag ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})"
            yield source.problem(message, "aliases", tag, key=True)
