"""``compat update``: what the package index publishes now, put into data files."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

from twinforge.compat.datatext import list_text, mapping_text, value_text, with_section
from twinforge.compat.overlay import FOLDER
from twinforge.compat.refresh import SOURCE
from twinforge.compat.subjects import find_subject, subject_names
from twinforge.compat.tablefile import cited_sources
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
    from twinforge.compat.subjects import Outcome, Subject
    from twinforge.compat.wheels import PublishedVersion

__all__ = ["Update", "look_up_updates", "write_updates"]

_MARK = "# Written by `twinforge compat update`"
_JOBS = 4
_NAME = re.compile(r"^[\w.-]+=(?=[a-z]+://)")
"""uv lets an index have a name: ``internal=https://...``."""


@dataclass(frozen=True, slots=True)
class Update:
    """A data file as it would be: where, its text, the text there now, and what is different."""

    name: str
    path: Path
    text: str
    before: str
    changes: tuple[str, ...]


def look_up_updates(
    workspace: Workspace,
    names: Sequence[str],
    *,
    today: date,
    data_dir: Path | None = None,
) -> tuple[Update, ...]:
    """Ask the default package index what it has of frameworks and cuDNN. Writes nothing.

    Args:
        workspace: Whose ``compat`` folder is meant, and the way to the index.
        names: Such as ``torch`` or ``cudnn``; all where empty.
        today: What the files say they were collected on.
        data_dir: The folder of the data that comes with Twinforge, in a checkout; its files are
            then meant and not the project's.

    Returns:
        One for each that there is something new about.

    Raises:
        UnknownError: One of the names can't be refreshed.
        UsageError: A file to be written was made by hand.
        LockError: The index could not be asked.
    """
    known = subject_names()
    for name in names:
        if name not in known:
            message = f"there is no data on '{name}' to refresh{known_or_close(name, known)}"
            raise UnknownError(message)
    subjects = [find_subject(name) for name in names or known]
    packages = [package for subject in subjects for package in subject.packages]
    index = _index(workspace, packages[0])
    with ThreadPoolExecutor(_JOBS) as pool:
        found = dict(zip(packages, pool.map(lambda p: _published(index, p), packages), strict=True))
    updates = []
    for subject in subjects:
        outcome = subject.refresh({package: found[package] for package in subject.packages})
        if not outcome.changes:
            continue
        if data_dir is None:
            updates.append(_for_project(workspace.root, subject, outcome, today))
        else:
            updates.append(_for_data(data_dir, subject, outcome, today))
    return tuple(updates)


def write_updates(updates: Sequence[Update]) -> None:
    """Write the files."""
    for update in updates:
        write_text(update.path, update.text)


def _index(workspace: Workspace, package: str) -> SimpleIndex:
    environ = workspace.environ
    url = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or ""
    url = url or environ.get("PIP_INDEX_URL") or default_index(workspace.child_environ, package)
    url = _NAME.sub("", url)
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


def _for_project(root: Path, subject: Subject, outcome: Outcome, today: date) -> Update:
    path = root / FOLDER / f"{subject.name}.yaml"
    before = path.read_text("utf-8") if path.is_file() else ""
    if before and not before.startswith(_MARK):
        message = f"'{FOLDER}/{path.name}' was not written by `twinforge compat update`"
        raise UsageError(message, hint="move what it says elsewhere, or update others by name")
    cited = set(cited_sources(list(outcome.changed)))
    sources = {key: text for key, text in subject.table.sources.items() if key in cited}
    lines = [
        f"{_MARK}, which replaces it as a whole.",
        f"collected: {value_text(today.isoformat())}",
        "",
        "sources:",
        mapping_text({**sources, SOURCE: _source(today)}),
        "",
        f"{outcome.section}:",
        list_text(outcome.changed),
        "",
    ]
    return Update(subject.name, path, "\n".join(lines), before, outcome.changes)


def _for_data(data_dir: Path, subject: Subject, outcome: Outcome, today: date) -> Update:
    """Rewrite the section, the sources and the day of a data file; the rest stays as it is."""
    path = data_dir / subject.file
    before = path.read_text("utf-8")
    table = subject.table
    kept = [getattr(table, name) for name in type(table).model_fields if name != outcome.section]
    cited = set(cited_sources([*kept, list(outcome.records)]))
    sources = {key: text for key, text in table.sources.items() if key in cited}
    text = re.sub(
        r'^collected: ".*"$', f'collected: "{today.isoformat()}"', before, flags=re.MULTILINE
    )
    text = with_section(text, "sources", mapping_text({**sources, SOURCE: _source(today)}))
    text = with_section(text, outcome.section, list_text(outcome.records))
    return Update(subject.name, path, text, before, outcome.changes)
