"""A network in the making: parts with their values, what was asked of them, what binds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twinforge.compat.domain import Domain, table_of
from twinforge.compat.network import ALWAYS, Limit, Relation
from twinforge.compat.question import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from twinforge.compat.facts import Fact
    from twinforge.compat.verdict import Judgement

__all__ = ["ONE", "Draft"]

ONE = Domain((ALWAYS,), (ALWAYS,))
"""The values of the part that is always the same."""


@dataclass(slots=True)
class Draft:
    """What a network is put together from.

    ``places`` are where things were asked for, by label; ``tells`` maps a fact's label to the part
    that it is about, and to how it reads for some values of that.
    """

    places: Mapping[str, str]
    domains: dict[str, Domain] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    asks: dict[str, Ask] = field(default_factory=dict)
    tells: dict[str, tuple[str, Callable[[Sequence[Any]], Fact]]] = field(default_factory=dict)

    def add(
        self, name: str, what: str, domain: Domain, asked: str, matches: Callable[[Any, str], bool]
    ) -> None:
        """Add a part with its values, limited to those that match what was asked for, if it was."""
        if asked:
            chosen = [i for i, value in enumerate(domain.values) if matches(value, asked)]
            if not chosen:
                domain = domain.with_unheard(f"there is no data on {what} {asked}")
                chosen = [len(domain.values) - 1]
            self.limits[name] = Limit(name, sum(1 << index for index in chosen))
            self.ask(name, f"{what} {asked}")
        self.domains[name] = domain

    def ask(self, label: str, text: str) -> None:
        """Note something that was asked for."""
        self.asks[label] = Ask(label, text, self.places.get(label, ""))

    def tell(self, label: str, variable: str, tell: Callable[[Sequence[Any]], Fact]) -> None:
        """Note how a fact reads."""
        self.tells.setdefault(label, (variable, tell))

    def relate(
        self,
        labels: Iterable[str],
        left: str,
        right: str,
        judge: Callable[[Any, Any], Judgement],
    ) -> None:
        """Bind two parts; a judgement is a function of its module, so that it is kept."""
        one, other = self.domains[left], ONE if right == ALWAYS else self.domains[right]
        table = table_of(judge, one, other)
        self.relations.append(Relation(frozenset(labels), left, right, table))
