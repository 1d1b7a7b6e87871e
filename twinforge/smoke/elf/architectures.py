"""Whether the GPU code of an image runs on the GPUs that its variant serves."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from twinforge.compat.machines import judge_code
from twinforge.compat.verdict import Verdict
from twinforge.smoke.elf.byhand import partial_for
from twinforge.smoke.elf.facts import GPU
from twinforge.smoke.elf.tell import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.compat.machines import Machine
    from twinforge.smoke.elf.binaries import Binaries
    from twinforge.smoke.elf.facts import GpuCode
    from twinforge.smoke.elf.owners import Owner

__all__ = ["judge_architectures"]


def judge_architectures(binaries: Binaries, machines: Sequence[Machine]) -> str:
    """Return in a few words that every file with GPU code has some for each GPU that is served.

    Machine code runs on newer minors of its major; PTX on all that is not older, compiled by the
    driver when it is loaded, which is told. So is a file whose code can't be read, or that has
    code for some GPUs by intention. That a file has code for a GPU does not say that all that is
    in it does.

    Raises:
        SmokeError: A file has no code for one of them.
    """
    coded = {
        path: facts.code
        for path, facts in sorted(binaries.tree.elves.items())
        if facts.code.has_sections and facts.machine.arch != GPU
    }
    machines = [one for one in machines if one.instance.gpu is not None]
    lacking: dict[tuple[Owner, str], list[str]] = defaultdict(list)
    notes = []
    for path, code in coded.items():
        name = posixpath.basename(path)
        if not (code.binary or code.exact or code.ptx):
            notes.append(f"for what {path} was compiled can't be told")
            continue
        for machine in machines:
            verdict = _judge(machine, code)
            if verdict is Verdict.CONDITIONAL:
                notes.append(f"{_told(machine)}: PTX in {name} is compiled when it is loaded")
            elif verdict is Verdict.IMPOSSIBLE and (partial := partial_for(path)):
                notes.append(f"{_told(machine)}: no code in {name}; {partial.why}")
            elif verdict is Verdict.IMPOSSIBLE:
                lacking[binaries.owner(path), _told(machine)].append(f"{name} ({code})")
    refuse(
        [
            f"{owner} has no code for {machine}: {', '.join(files)}"
            for (owner, machine), files in lacking.items()
        ]
    )
    served = list(dict.fromkeys(map(_told, machines)))
    first = f"{len(coded)} files with code for {' and '.join(served)}"
    if not served:
        union = [f"{posixpath.basename(path)}: {code}" for path, code in coded.items()]
        first = f"the matrix names no GPU that is served; {'; '.join(union) or 'no code for GPUs'}"
    beside = [one for one in binaries.tree.elves.values() if one.machine.arch == GPU]
    if beside:
        # which of them is loaded on which GPU, only the program knows
        notes.append(f"{len(beside)} files of GPU code beside the libraries are not looked at")
    return "\n".join([first, *dict.fromkeys(notes)])


def _judge(machine: Machine, code: GpuCode) -> Verdict:
    gpu = machine.instance.gpu
    if gpu is None or gpu.compute_capability in code.exact:
        return Verdict.WORKS
    ptx = [one for one in code.ptx if one <= gpu.compute_capability]
    capabilities = tuple(sorted(code.binary))
    return judge_code(machine, capabilities, max(ptx, default=None), "it").verdict


def _told(machine: Machine) -> str:
    gpu = machine.instance.gpu
    return f"{gpu.sm} ({machine.instance.name})" if gpu else machine.instance.name
