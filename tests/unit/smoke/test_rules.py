from __future__ import annotations

import pytest

from twinforge.errors import TwinforgeError
from twinforge.smoke.checks import GROUPS
from twinforge.smoke.rules import Severity, load_rules, parse_rules

CONTRACT = """
contract: 1
sources: {guide: The guide}
groups:
  - group: image
    checks:
      - {id: programs, what: They are there., source: guide}
      - {id: polite, what: It says please., source: guide, severity: warning, needs: [programs]}
"""


def test_a_contract_is_read_in_order_with_its_sources_spelt_out() -> None:
    first, second = parse_rules(CONTRACT)
    assert (first.id, first.source, first.severity) == ("programs", "The guide", Severity.ERROR)
    assert (second.severity, second.needs, second.group) == (
        Severity.WARNING,
        ("programs",),
        "image",
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: polite", "id: programs", "'programs' is there twice"),
        ("needs: [programs]", "needs: [later]", "'polite' needs 'later', which does not come"),
        ("please., source: guide", "please., source: hearsay", "'hearsay' is not listed"),
        ("{guide: The guide}", "{guide: The guide, rfc: RFC}", "the source 'rfc' is not cited"),
        ("severity: warning", "severity: fatal", "can't be read: "),
        ("severity: warning", "severty: warning", "severty"),
        ("says please.", "says please", "can't be read: "),
        ("needs: [programs]", "applies: [sometimes]", "can't be read: "),
        ("contract: 1", "contract: [", "can't be read: "),
    ],
)
def test_what_is_no_contract_is_refused(old: str, new: str, says: str) -> None:
    assert CONTRACT.count(old) == 1
    with pytest.raises(TwinforgeError) as caught:
        parse_rules(CONTRACT.replace(old, new))
    assert says in caught.value.message


def test_every_group_has_steps_and_every_group_of_steps_has_rules() -> None:
    assert {rule.group for rule in load_rules()} == set(GROUPS)
