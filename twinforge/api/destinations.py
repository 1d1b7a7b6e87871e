"""From a registry's name to repositories that can be written to: host, and who we are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.api.surroundings import stored_credentials
from twinforge.errors import UsageError
from twinforge.model.reference import Reference
from twinforge.model.suggest import known_or_close
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import AwsAccess, Tags, Target
from twinforge.registry.uploads import Uploads

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry

__all__ = ["given_target", "named_registry", "registry_targets", "repository_of", "uploads_of"]


def named_registry(workspace: Workspace, name: str = "") -> Registry:
    """Return a registry of the matrix by its name; the first one for an empty name.

    Raises:
        UsageError: The matrix names none, or none of that name.
    """
    registries = workspace.project.matrix.registries
    if not registries and not name:
        message = "matrix.yaml names no registry"
        raise UsageError(message, hint="add `registry:` to it, or give --registry HOST")
    for registry in registries:
        if name in {"", registry.name}:
            return registry
    message = f"matrix.yaml names no registry '{name}'"
    known = [one.name for one in registries]
    hint = "" if known else "add it under `registries:`"
    raise UsageError(message + known_or_close(name, known), hint=hint)


def repository_of(workspace: Workspace, recipe: str, name: str = "") -> str:
    """Return a recipe's repository in a registry of the matrix, or its name where there is none."""
    if not name and not workspace.project.matrix.registries:
        return recipe
    return named_registry(workspace, name).repository.format(recipe=recipe)


def given_target(
    workspace: Workspace, registry: str, repository: str, *, username: str, password: str
) -> tuple[Target, ...]:
    """Return the repository of a registry ``host[/path]``, as a user or as ``docker login`` has it.

    Raises:
        UsageError: It is none.
    """
    host, slash, path = registry.partition("/")
    try:
        name = Reference.parse(f"{host}/{path}{slash}{repository}")
    except ValueError as error:
        message = f"'{registry}' is not a registry: {error}"
        raise UsageError(message, hint="give host[:port][/path]") from error
    if username:
        return (Target(name, Credentials(username, password)),)
    return (Target(name, stored_credentials(workspace.environ, host)),)


def registry_targets(  # noqa: PLR0913 - a registry and how it is reached
    workspace: Workspace,
    registry: Registry,
    repository: str,
    tags: Tags,
    access: AwsAccess,
    *,
    create: bool = True,
) -> tuple[Target, ...]:
    """Return the repository in every place of a registry of the matrix.

    ECR's is made where it is missing; without ``create`` it is only read from, and left alone.

    Raises:
        RegistryError: AWS said no, or could not be used.
    """
    if registry.kind == "oci":
        return given_target(workspace, registry.host, repository, username="", password="")
    # boto3 takes longer to import than an unchanged pair to another registry
    from twinforge.registry.ecr import prepare_targets, reach_targets  # noqa: PLC0415

    if not create:
        return reach_targets(registry, repository, access=access)
    return prepare_targets(registry, repository, tags, access=access, listener=workspace.listener)


def uploads_of(workspace: Workspace) -> Uploads:
    """Return the uploads that earlier runs have begun and that a registry may still know."""
    uploads = Uploads(workspace.state_dir / "uploads")
    uploads.tidy()
    return uploads
