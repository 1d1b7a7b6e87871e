"""What an image's binaries say of themselves: no container is started, and no GPU is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from twinforge.smoke.elf.architectures import judge_architectures
from twinforge.smoke.elf.binaries import Binaries
from twinforge.smoke.elf.closure import judge_closure
from twinforge.smoke.elf.device import judge_cpu, judge_cuda
from twinforge.smoke.elf.driver import judge_driver
from twinforge.smoke.elf.duplicates import judge_duplicates
from twinforge.smoke.elf.pins import judge_pins
from twinforge.smoke.elf.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step

__all__ = ["binary_checks"]


@contextmanager
def binary_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Read the image's files once, and give the steps of the group ``binaries``."""
    with bench.containers.files(bench.facts.id) as stream:
        tree = read_tree(stream)
    binaries = Binaries(tree, bench.facts.library_path)
    asked = bench.device
    yield {
        "binaries.complete": lambda: judge_closure(tree, binaries.closure),
        "cuda.none": lambda: judge_cpu(binaries),
        "cuda.release": lambda: judge_cuda(binaries, asked.cuda, asked.with_cuda),
        "cuda.pins": lambda: judge_pins(binaries, asked),
        "cuda.once": lambda: judge_duplicates(binaries, asked.apt),
        "cuda.architectures": lambda: judge_architectures(binaries, asked.machines),
        "cuda.no-driver": lambda: judge_driver(binaries),
    }
