"""What every verb works on: a project, the state that belongs to it, and an engine when needed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from twinforge.api.ahead import ahead
from twinforge.api.surroundings import trusted_bundle
from twinforge.build.ledger import Ledger
from twinforge.compat.active import in_force
from twinforge.errors import Problem, ProjectError
from twinforge.events import Listener, ignore
from twinforge.lock.document import read_bases, read_recipe_lock
from twinforge.model.load import load_project
from twinforge.model.select import select_variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from twinforge.compat.active import Additions
    from twinforge.engine.engine import Engine, Settings
    from twinforge.engine.images import Images
    from twinforge.lock.locked import BaseLock, RecipeLock
    from twinforge.model.project import Project
    from twinforge.model.variant import Variant

__all__ = ["Workspace"]


@dataclass(frozen=True)
class Workspace:
    """A checkout and where this run gets its settings from. Reads files on first use, once.

    Attributes:
        root: The project's folder, with ``matrix.yaml`` and ``recipes/``.
        environ: The environment that child processes and clients see.
        engine_dir: Where an engine of our own keeps its data.
        cache_dir: Where bases are kept between projects.
        listener: Told what goes on.
    """

    root: Path
    environ: Mapping[str, str]
    engine_dir: Path
    cache_dir: Path
    listener: Listener = ignore
    _locks: dict[str, RecipeLock | None] = field(default_factory=dict, init=False, repr=False)
    _looks: list[Future[Engine | None]] = field(default_factory=list, init=False, repr=False)

    @cached_property
    def project(self) -> Project:
        """The project; raises ProjectError with every problem of every file.

        Its own compatibility data is read with it, so that what is wrong there is told too.
        """
        if not self._has_own_data:
            return load_project(self.root)
        problems: list[Problem] = []
        try:
            project = load_project(self.root)
        except ProjectError as error:
            problems += error.problems
        try:
            _ = self.additions
        except ProjectError as error:
            problems += error.problems
        if problems:
            raise ProjectError(problems)
        return project

    @cached_property
    def additions(self) -> Additions:
        """The project's own compatibility data; raises ProjectError with every problem of it."""
        from twinforge.compat.overlay import load_additions  # noqa: PLC0415 - reads many schemas

        return load_additions(self.root)

    @contextmanager
    def own_data(self) -> Iterator[None]:
        """Let questions about compatibility be answered with the project's own data as well."""
        if not self._has_own_data:
            yield
            return
        with in_force(self.additions):
            yield

    def look_ahead(self) -> None:
        """Begin to look for an engine: that starts two programs, while there is more to import."""
        self._looks.append(ahead(self._look))

    @cached_property
    def engine(self) -> Engine:
        """A Docker Engine that answers, set up if there is none."""
        from twinforge.engine.engine import ensure_engine  # noqa: PLC0415 - many verbs need no engine

        sought = self._looks[0].result() if self._looks else None
        return self._found or ensure_engine(self.engine_settings, self.listener, found=sought)

    @cached_property
    def has_engine(self) -> bool:
        """Whether an engine answers; asking starts and installs nothing."""
        return "engine" in self.__dict__ or self._looked_for is not None

    @property
    def _found(self) -> Engine | None:
        """The engine that was looked for already: every look starts two programs."""
        found: Engine | None = self.__dict__.get("_looked_for")
        return found

    @cached_property
    def _looked_for(self) -> Engine | None:
        return self._looks[0].result() if self._looks else self._look()

    def _look(self) -> Engine | None:
        from twinforge.engine.engine import find_engine  # noqa: PLC0415 - as above

        return find_engine(self.engine_settings)

    @cached_property
    def images(self) -> Images:
        """The engine's images."""
        from twinforge.engine.images import Images  # noqa: PLC0415 - the SDK takes a while to import

        return Images(self.engine)

    @cached_property
    def ledger(self) -> Ledger:
        """What was built and smoked here."""
        return Ledger.read(self.state_dir / "ledger.json")

    @cached_property
    def base_locks(self) -> Mapping[str, BaseLock]:
        """Locked bases by name; empty before the first lock."""
        return read_bases(self.root)

    @property
    def _has_own_data(self) -> bool:
        return (self.root / "compat").is_dir()

    @property
    def engine_settings(self) -> Settings:
        """What the engine's room wants to know."""
        from twinforge.engine.engine import Settings  # noqa: PLC0415 - as above

        return Settings(self.environ, self.engine_dir)

    @property
    def state_dir(self) -> Path:
        """Where this project's ledger, logs and staged files live; git-ignored."""
        return self.root / ".twinforge"

    @cached_property
    def ca_bundle(self) -> Path | None:
        """The certificate authorities to trust: SSL_CERT_FILE, else the system's own."""
        return trusted_bundle(self.environ)

    @property
    def child_environ(self) -> dict[str, str]:
        """The environment for programs that speak TLS: they trust what we trust."""
        named = {"SSL_CERT_FILE": str(self.ca_bundle)} if self.ca_bundle else {}
        return {**self.environ, **named}

    def reread(self) -> Workspace:
        """Return the same workspace with nothing read yet, after its files were written."""
        return replace(self)

    def lock_of(self, recipe: str) -> RecipeLock | None:
        """Return a recipe's committed lock, or None before the first."""
        if recipe not in self._locks:
            self._locks[recipe] = read_recipe_lock(self.root, recipe)
        return self._locks[recipe]

    def select(
        self, selectors: Sequence[str], *, may_be_unchanged: bool = False
    ) -> tuple[Variant, ...]:
        """Return the variants that the selectors name, in declared order.

        ``may_be_unchanged`` lets ``changed-since`` find nothing; every other selector must.
        """
        return select_variants(
            self.project, selectors, changed=self._changed, may_be_unchanged=may_be_unchanged
        )

    def _changed(self, revision: str) -> frozenset[str]:
        from twinforge.api.changes import changed_since  # noqa: PLC0415 - heavy, and few ask git

        return changed_since(self, revision)

    def log_path(self, verb: str, variant: Variant) -> Path:
        """Return the log file of a verb for a variant, in a folder that exists."""
        path = self.state_dir / "logs" / variant.recipe / f"{variant.slug}.{verb}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
