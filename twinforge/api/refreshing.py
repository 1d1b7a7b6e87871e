"""``compat update``: what the package index publishes now, put into data files."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

from twinforge.compat.datatext import list_text, mapping_text, value_text
from twinforge.compat.framework_tables import FrameworkTable, load_names_table
from twinforge.compat.overlay import FOLDER
from twinforge.compat.refresh import SOURCE, Refreshed, index_packages, refresh_framework
from twinforge.compat.tablefile import cited_sources, shipped
from twinforge.compat.wheels import PublishedFile, published_versions
from twinforge.errors import UnknownError, UsageError
from twinforge.lock.index import SimpleIndex
from twinforge.lock.uv import default_index
from twinforge.model.suggest import known_or_close
from twinforge.wholefile import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from twinforge.api.workspace import Workspace
    from twinforge.compat.wheels import PublishedVersion

__all__ = ["Update", "look_up_updates", "write_updates"]

_MARK = "# Written by `twinforge compat update`"
_JOBS = 4
_BUILDS = re.compile(r"^builds:\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Update:
    """A data file as it would be: where, its text, the text there now, and what is different."""

    framework: str
    path: Path
    text: str
    before: str
    changes: tuple[str, ...]


def look_up_updates(
    workspace: Workspace,
    frameworks: Sequence[str],
    *,
    today: date,
    data_dir: Path | None = None,
) -> tuple[Update, ...]:
    """Ask the default package index about frameworks. Writes nothing.

    Args:
        workspace: Whose ``compat`` folder is meant, and the way to the index.
        frameworks: Such as ``torch``; all where empty.
        today: What the files say they were collected on.
        data_dir: The folder of the data that comes with Twinforge, in a checkout; its files are
            then meant and not the project's.

    Returns:
        One for each framework that there is something new about.

    Raises:
        UnknownError: There is no data on a framework.
        UsageError: A file to be written was made by hand.
        LockError: The index could not be asked.
    """
    known = tuple(load_names_table().frameworks)
    for name in frameworks:
        if name not in known:
            message = f"there is no data on a framework '{name}'{known_or_close(name, known)}"
            raise UnknownError(message)
    names = tuple(frameworks) or known
    tables = {name: shipped(FrameworkTable, f"frameworks/{name}.yaml") for name in names}
    packages = [package for table in tables.values() for package in index_packages(table)]
    index = _index(workspace, packages[0])
    with ThreadPoolExecutor(_JOBS) as pool:
        found = dict(zip(packages, pool.map(lambda p: _published(index, p), packages), strict=True))
    updates = []
    for table in tables.values():
        mine = {package: found[package] for package in index_packages(table)}
        refreshed = refresh_framework(table, mine)
        if not refreshed.changes:
            continue
        if data_dir is None:
            updates.append(_for_project(workspace.root, table, refreshed, today))
        else:
            updates.append(_for_data(data_dir, table, refreshed, today))
    return tuple(updates)


def write_updates(updates: Sequence[Update]) -> None:
    """Write the files."""
    for update in updates:
        write_text(update.path, update.text)


def _index(workspace: Workspace, package: str) -> SimpleIndex:
    environ = workspace.environ
    url = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or ""
    url = url or environ.get("PIP_INDEX_URL") or default_index(workspace.child_environ, package)
    exempt = {"no": environ.get("NO_PROXY") or environ.get("no_proxy") or ""}
    proxy = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    if proxy_bypass_environment(urlsplit(url).hostname or "", exempt):
        proxy = ""
    return SimpleIndex(url, workspace.ca_bundle, proxy)


def _published(index: SimpleIndex, package: str) -> dict[str, PublishedVersion]:
    files = index.files(package)
    return published_versions(
        PublishedFile(file.filename, file.requires_python, file.is_yanked) for file in files
    )


def _source(today: date) -> str:
    return f"the default index: tags of the wheels for Linux, read {today.isoformat()}"


def _for_project(root: Path, table: FrameworkTable, refreshed: Refreshed, today: date) -> Update:
    path = root / FOLDER / f"{table.framework}.yaml"
    before = path.read_text("utf-8") if path.is_file() else ""
    if before and not before.startswith(_MARK):
        message = f"'{FOLDER}/{path.name}' was not written by `twinforge compat update`"
        raise UsageError(message, hint="move what it says elsewhere, or update other frameworks")
    cited = set(cited_sources(list(refreshed.changed)))
    sources = {key: text for key, text in table.sources.items() if key in cited}
    text = "\n".join(
        [
            f"{_MARK}, which replaces it as a whole.",
            f"collected: {value_text(today.isoformat())}",
            "",
            "sources:",
            mapping_text({**sources, SOURCE: _source(today)}),
            "",
            "builds:",
            list_text(refreshed.changed),
            "",
        ]
    )
    return Update(table.framework, path, text, before, refreshed.changes)


def _for_data(data_dir: Path, table: FrameworkTable, refreshed: Refreshed, today: date) -> Update:
    path = data_dir / "frameworks" / f"{table.framework}.yaml"
    before = path.read_text("utf-8")
    head = _BUILDS.split(before, maxsplit=1)[0]
    head = re.sub(
        r'^collected: ".*"$', f'collected: "{today.isoformat()}"', head, flags=re.MULTILINE
    )
    cited = set(cited_sources([*refreshed.builds, *table.indexes.values()]))
    sources = {key: text for key, text in table.sources.items() if key in cited}
    named = f"sources:\n{mapping_text({**sources, SOURCE: _source(today)})}\n"
    # a function, because a source may hold what means something in a replacement
    head = re.sub(r"^sources:\n(?:  .*\n)+", lambda _: named, head, flags=re.MULTILINE)
    text = f"{head}builds:\n{list_text(refreshed.builds)}\n"
    return Update(table.framework, path, text, before, refreshed.changes)
