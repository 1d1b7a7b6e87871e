"""Expanding and validating 10,000 variants with all of the matrix language: ``python -m benchmarks.language``.

A process of its own, so that nothing is warm and the peak of its memory is that of one load. Prints
the seconds without those of the imports, and the bytes of the peak with them.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.pair import read_pair
from benchmarks.scale import VARIANTS, write_project
from twinforge.model.groups import groups_of
from twinforge.model.load import load_project

_EXCLUDED = 5 * 25
"""Of the accelerator cu119 with Python 3.13: five systems and 25 tiers; as many are included."""
_LANGUAGE = """
derive:
  line: {from: accelerator, map: {cpu: none}, default: new}
  rung: {from: [line, python], map: {none/3.10: low}, default: high}
exclude:
  - {when: "accelerator == cu119 and python >= 3.13"}
include:
  - {accelerator: cu119, python: "3.9"}
overrides:
  - {when: cuda >= 12 and python < 3.12, env: {A: "1"}}
  - {when: "rung == low or tier in [tier1, tier2, tier3]", env: {B: "1"}}
  - {when: "not (os == debian-12 or kind == cpu)", system: {packages: [curl]}}
groups:
  pr: {when: "python == 3.12 and os == debian-12 and tier == tier0"}
  low: {rung: low}
  nightly: {sample: pairwise}
aliases:
  "latest-{accelerator}": {accelerator: cpu, python: "3.12", os: debian-12, tier: tier0}
"""


def main() -> int:
    """Measure and print; 1 if the matrix has another size than it should."""
    source = Path.cwd()
    pair = read_pair(source, sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_project(source, root, pair)
        with (root / "matrix.yaml").open("a", encoding="utf-8") as file:
            file.write(_LANGUAGE)
        start_s = time.perf_counter()
        project = load_project(root)
        groups = groups_of(project)
        seconds = time.perf_counter() - start_s
        shutil.rmtree(root / "images")
    sample = sum("nightly" in names for names in groups.values())
    if len(project.variants) != VARIANTS or len(project.excluded) != _EXCLUDED or not sample:
        print(f"{len(project.variants)} variants, {sample} in the sample", file=sys.stderr)
        return 1
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(seconds, peak_bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
