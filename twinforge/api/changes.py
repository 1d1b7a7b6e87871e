"""``changed-since``: which variants are made of something that changed since a revision of git.

The project as it was is written to a folder of its own and read like any other; two variants are the
same when all that decides them is: recipe with overrides, base, accelerator, values and tags, the
program's files, the checks and their files, and the locks. What is not committed yet counts too.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.api.checks import checks_digests
from twinforge.build.program import read_program
from twinforge.errors import TwinforgeError, UsageError
from twinforge.events import Event, State
from twinforge.model.place import Place
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace
    from twinforge.model.variant import Variant

__all__ = ["changed_since"]

_TIMEOUT_S = 300.0
_LEFT_OUT = {"axes", "overrides"}
"""What only decides which variants there are, and is in each of them already."""


def changed_since(workspace: Workspace, revision: str) -> frozenset[str]:
    """Return the ids of the variants that a revision does not have, or not as they are now.

    Where the project can't be read as it was then, every variant has changed.

    Raises:
        UsageError: The project is in no git repository, or that has no such revision.
        MissingToolError: There is no git.
    """
    now = _fingerprints(workspace)
    with tempfile.TemporaryDirectory(prefix="twinforge-since-") as scratch:
        tree = Path(scratch, "tree")
        _write_tree(workspace, revision, tree, index=Path(scratch, "index"))
        try:
            then = _fingerprints(replace(workspace, root=tree))
        except (TwinforgeError, OSError) as error:
            reason = str(error).partition("\n")[0]
            text = f"can't be read as of {revision}, so every variant has changed: {reason}"
            workspace.listener(Event("changes", "project", State.NOTE, text))
            then = {}
    return frozenset(name for name, digest in now.items() if then.get(name) != digest)


def _write_tree(workspace: Workspace, revision: str, tree: Path, *, index: Path) -> None:
    """Write the project's folder as it was; the repository and its work tree stay as they are."""
    top, prefix = _git(
        workspace,
        ["rev-parse", "--show-toplevel", "--show-prefix"],
        f"{show_value(workspace.root)} is in no git repository that can be read",
    ).split("\n")[:2]
    # Resolved first: what git is given below is never taken for an option or a path.
    commit = _git(
        workspace,
        ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"],
        f"git knows no revision {show_value(revision)}",
    ).strip()
    tree.mkdir()
    env = {**workspace.environ, "GIT_INDEX_FILE": str(index)}
    missing = f"the project was not there yet at {show_value(revision)}"
    _git(workspace, ["read-tree", f"{commit}:{prefix}"], missing, env=env)
    argv = ["git", "checkout-index", "--all", "--force", f"--prefix={tree}/"]
    process.run(argv, cwd=Path(top), env=env, timeout_s=_TIMEOUT_S)


def _git(
    workspace: Workspace,
    arguments: list[str],
    refused: str,
    *,
    env: Mapping[str, str] | None = None,
) -> str:
    done = process.run(
        ["git", *arguments],
        cwd=workspace.root,
        env=env or workspace.environ,
        timeout_s=_TIMEOUT_S,
        check=False,
    )
    if done.status:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise UsageError(f"{refused}: {reason}" if reason else refused)
    return done.stdout


def _fingerprints(workspace: Workspace) -> dict[str, str]:
    """Return a digest of all that decides each variant, by its id."""
    project = workspace.project
    checks = checks_digests(workspace, project.variants)
    files: dict[str, object] = {}
    for recipe in project.recipes:
        template = (workspace.root / recipe.template).read_text("utf-8") if recipe.template else ""
        files[recipe.name] = [_facts(read_program(workspace.root / recipe.program)), template]
    digests = {}
    for variant in project.variants:
        document = [
            _facts(variant),
            variant.tag,
            _facts(project.recipe_for(variant)),
            checks[variant.id],
            files[variant.recipe],
            _locks(workspace, variant),
        ]
        text = json.dumps(document, sort_keys=True, ensure_ascii=True)
        digests[variant.id] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def _locks(workspace: Workspace, variant: Variant) -> object:
    """Return what is locked for a variant; nothing before its first lock."""
    lock = workspace.lock_of(variant.recipe)
    found = [one for one in (lock.variants if lock else ()) if one.slug == variant.slug]
    return _facts((*found, workspace.base_locks.get(variant.base.name)))


def _facts(value: object) -> object:
    """Return a value as JSON can hold it, without the lines that it stood in."""
    if isinstance(value, Place):
        return None
    if is_dataclass(value):
        return {
            one.name: _facts(getattr(value, one.name))
            for one in fields(value)
            if one.name not in _LEFT_OUT
        }
    if isinstance(value, Mapping):
        return [[str(key), _facts(item)] for key, item in value.items()]
    if isinstance(value, tuple):
        return [_facts(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)
