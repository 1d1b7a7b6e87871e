"""How much of the machine a container may use: cores, memory and GPUs.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``, ``memory.max``) and, for
version 1, https://docs.kernel.org/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "read_machine", "resident_bytes", "used_bytes"]

_ROOT = Path("/")
_NO_LIMIT = 1 << 60  # version 1 writes a huge number where there is no limit


@dataclass(frozen=True)
class Machine:
    """What there is.

    Attributes:
        cores: To share the work out among, at least 1; a part of a core counts as one.
        memory_bytes: 0 if unknown.
        gpus: How many.
        full_cores: Those of ``cores`` that may be busy all the time.
    """

    cores: int
    memory_bytes: int
    gpus: int
    full_cores: int = 0


def read_machine(root: Path = _ROOT, *, affinity: int | None = None) -> Machine:
    """Return what this container may use.

    Args:
        root: Where ``proc``, ``sys`` and ``dev`` are.
        affinity: How many cores the scheduler lets this process run on; asked for if None.
    """
    seen = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quota = _cpu_quota(root / "sys/fs/cgroup")
    # Half a core more is a core more: a worker that waits a little is better than an idle core.
    cores = max(1, min(seen, math.ceil(quota))) if quota else max(1, seen)
    gpus = sum(
        1 for path in (root / "dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)
    )
    full_cores = min(seen, math.floor(quota)) if quota else seen
    return Machine(cores, _memory_bytes(root), gpus, full_cores)


def resident_bytes(pid: int, root: Path = _ROOT) -> int:
    """Return how much memory a process holds by itself, without what it shares; 0 if unknown."""
    try:
        text = (root / f"proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB$", text, re.MULTILINE)
    return sum(map(int, found)) * 1024


def used_bytes(root: Path = _ROOT) -> int:
    """Return how much of the container's memory is in use, without files' caches; 0 if unknown."""
    for folder, current, inactive in (
        ("sys/fs/cgroup", "memory.current", "inactive_file"),
        ("sys/fs/cgroup/memory", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        used = _number(root / folder / current)
        if used:
            found = re.search(
                rf"^{inactive} (\d+)$", _text(root / folder / "memory.stat"), re.MULTILINE
            )
            return used - (int(found[1]) if found else 0)
    return 0


def _cpu_quota(cgroup: Path) -> float:
    """Return how many cores' time a cgroup may use, 0 where nothing limits it."""
    words = _text(cgroup / "cpu.max").split()
    if len(words) == 2 and words[0].isdigit():  # noqa: PLR2004 - a quota and a period
        return int(words[0]) / int(words[1])
    quota, period = (_number(cgroup / f"cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return quota / period if quota > 0 and period else 0.0


def _memory_bytes(root: Path) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    limits = [int(found[1]) * 1024] if found else []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _number(root / "sys/fs/cgroup" / name)
        if 0 < limit < _NO_LIMIT:
            limits.append(limit)
    return min(limits, default=0)


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if re.fullmatch(r"-?\d+", text) else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
