"""The registries of a matrix: one, or several by name; checked, and completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.fields import parse_day, parse_size
from twinforge.model.matrix import Access, AllowedFinding, Budget, Lifecycle, Registry, Scan
from twinforge.model.reference import Reference
from twinforge.model.registry_file import RegistryPart
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.errors import Problem
    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.source import Source
    from twinforge.yamlfile import Where

__all__ = ["DEFAULT", "check_registries", "complete_registries"]

DEFAULT = "default"
"""The name of a registry that has none."""
_LONGEST_REPOSITORY = 256
_TAGS = 50
_OF_ECR = (
    "account",
    "regions",
    "scan_on_push",
    "kms_key",
    "lifecycle",
    "tags",
    "access",
    "scan",
)


def check_registries(source: Source[MatrixFile], recipes: Sequence[str]) -> Iterator[Problem]:
    """Yield the problems of the registries of a matrix whose fields were read."""
    for where, part in _parts(source).items():
        yield from _check_registry(source, where, part, recipes)


def complete_registries(source: Source[MatrixFile]) -> tuple[Registry, ...]:
    """Return the registries of a matrix without a problem, in declared order."""
    return tuple(_registry(source, where, part) for where, part in _parts(source).items())


def _parts(source: Source[MatrixFile]) -> dict[Where, RegistryPart]:
    """Return the registries by where they stand; ``Where`` ends with the name of a named one."""
    found = source.file.registry
    if found is None:
        return {}
    if isinstance(found, RegistryPart):
        return {("registry",): found}
    return {("registry", name): part for name, part in found.items()}


def _check_registry(
    source: Source[MatrixFile], where: Where, registry: RegistryPart, recipes: Sequence[str]
) -> Iterator[Problem]:
    foreign = ("host",) if registry.kind == "ecr" else _OF_ECR
    other = "oci" if registry.kind == "ecr" else "ecr"
    for key in foreign:
        if key in registry.model_fields_set:
            message = f"{show_value(key)} belongs to a registry of kind {other}"
            yield source.problem(message, *where, key, key=True)
    if registry.kind == "oci" and registry.host is None:
        yield source.problem("a registry of kind oci needs a host", *where, key=True)
    if registry.kind == "ecr" and not registry.regions:
        yield source.problem("a registry of kind ecr needs regions", *where, key=True)
    yield from _listed_twice(source, (*where, "regions"), registry.regions)
    if registry.access:
        yield from _listed_twice(source, (*where, "access", "accounts"), registry.access.accounts)
    if registry.scan:
        ids = [one.id for one in registry.scan.allow]
        yield from _listed_twice(source, (*where, "scan", "allow"), ids)
        if registry.scan_on_push is False:
            message = "findings can't be awaited where nothing is scanned: scan_on_push is false"
            yield source.problem(message, *where, "scan", key=True)
    if len(registry.tags) > _TAGS:
        message = f"{len(registry.tags)} tags are given, and a resource has at most {_TAGS}"
        yield source.problem(message, *where, "tags", key=True)
    yield from _check_repository(source, (*where, "repository"), registry.repository, recipes)


def _listed_twice(
    source: Source[MatrixFile], where: Where, values: Sequence[str]
) -> Iterator[Problem]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield source.problem(f"{show_value(value)} is listed twice", *where, index)


def _check_repository(
    source: Source[MatrixFile], where: Where, repository: str, recipes: Sequence[str]
) -> Iterator[Problem]:
    if "{recipe}" not in repository and len(recipes) > 1:
        message = f"{show_value(repository)} would hold the tags of {len(recipes)} recipes"
        yield source.problem(f"{message}; put {{recipe}} into it", *where)
    for recipe in recipes[:1] or ("recipe",):
        name = repository.replace("{recipe}", recipe)
        try:
            # a host in front, so that the first part of the name is never taken for one
            Reference.parse(f"localhost/{name}")
        except ValueError as error:
            yield source.problem(str(error), *where)
    if any(len(repository.replace("{recipe}", recipe)) > _LONGEST_REPOSITORY for recipe in recipes):
        message = f"the repository's name is longer than {_LONGEST_REPOSITORY} characters"
        yield source.problem(message, *where)


def _registry(source: Source[MatrixFile], where: Where, part: RegistryPart) -> Registry:
    is_ecr = part.kind == "ecr"
    lifecycle, access, scan = part.lifecycle, part.access, part.scan
    return Registry(
        kind=part.kind,
        host=part.host or "",
        account=part.account or "",
        regions=part.regions,
        repository=part.repository,
        scan_on_push=is_ecr and part.scan_on_push is not False,
        place=source.place(*where, key=True),
        name=str(where[-1]) if len(where) > 1 else DEFAULT,
        kms_key=part.kms_key or "",
        lifecycle=Lifecycle(lifecycle.keep_images, lifecycle.untagged_days or 0)
        if lifecycle
        else None,
        tags=dict(part.tags) if "tags" in part.model_fields_set else None,
        access=Access(access.sagemaker, access.accounts) if access else None,
        scan=Scan(
            scan.fail_on,
            tuple(
                AllowedFinding(
                    one.id,
                    one.reason,
                    parse_day(one.until),
                    source.place(*where, "scan", "allow", index),
                )
                for index, one in enumerate(scan.allow)
            ),
        )
        if scan
        else None,
        budgets=tuple(Budget(name, parse_size(text)) for name, text in part.budget.items()),
    )
