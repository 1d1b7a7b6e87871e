"""glibc: what the platform tags of wheels promise to run on."""

from __future__ import annotations

import re

from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.tables import load_system_table

__all__ = ["manylinux_glibc"]

_NAMED = re.compile(r"manylinux_(?P<major>[0-9]+)_(?P<minor>[0-9]+)(?:_\w+)?")
_ARCHITECTURE = re.compile(r"_(?:x86_64|aarch64|i686|ppc64le|s390x|armv7l)$")


def manylinux_glibc(tag: str) -> tuple[Dotted, Fact] | None:
    """Return the oldest glibc for a platform tag, or ``None`` for one of another kind.

    >>> str(manylinux_glibc("manylinux2014_x86_64")[0]), manylinux_glibc("musllinux_1_2_x86_64")
    ('2.17', None)
    """
    table = load_system_table()
    name = _ARCHITECTURE.sub("", tag)
    record = table.manylinux.get(name)
    if record is not None:
        text = f"a wheel tagged {name} runs on glibc {record.glibc}"
        fact = Fact(text, table.cite(record.source), record.verified)
        return Dotted.parse(record.glibc), fact
    match = _NAMED.fullmatch(name)
    if match is None:
        return None
    glibc = Dotted.parse(f"{match['major']}.{match['minor']}")
    # by its definition: PEP 600, manylinux_${GLIBCMAJOR}_${GLIBCMINOR}_${ARCH}
    fact = Fact(f"a wheel tagged {name} runs on glibc {glibc}", ("PEP 600",))
    return glibc, fact
