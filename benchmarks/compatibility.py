"""What the resolver takes: ``python -m benchmarks.compatibility``.

A process of its own, so that nothing is warm. Prints the seconds of one question, data included, of
one matrix of 1,000 cells, and how many of its cells can't work.
"""

from __future__ import annotations

import itertools
import sys
import time

CELLS = 1_000
_FRAMEWORKS = (
    ("torch", "==2.6.0"),
    ("tensorflow", "==2.14.0"),
    ("onnxruntime-gpu", "==1.20.*"),
    ("xgboost", ">=3"),
)
_CUDA = ("11.8", "12.4", "12.6", "12.9", "13.0")
_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
_INSTANCES = (
    *("ml.p2.xlarge", "ml.p3.2xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge"),
    *("ml.g6e.xlarge", "ml.p4d.24xlarge", "ml.p5.48xlarge", "ml.p6-b200.48xlarge", "ml.m5.xlarge"),
)


def main() -> int:
    """Measure and print; 1 if there are more or fewer cells than there should be."""
    start_s = time.perf_counter()
    # inside of what is measured: reading the data is most of the first answer
    from twinforge.compat.question import Question, Wanted  # noqa: PLC0415 - see above
    from twinforge.compat.resolve import resolve  # noqa: PLC0415 - see above
    from twinforge.compat.verdict import Verdict  # noqa: PLC0415 - see above

    asked = Wanted("torch", "==2.6")
    resolve(Question(frameworks=(asked,), cuda="12.4", instances=("ml.p2.xlarge",)))
    one_s = time.perf_counter() - start_s
    cells = list(itertools.product(_FRAMEWORKS, _CUDA, _PYTHONS, _INSTANCES))
    start_s = time.perf_counter()
    impossible = 0
    for framework, cuda, python, instance in cells:
        question = Question(
            frameworks=(Wanted(*framework),),
            cuda=cuda,
            python=python,
            base="ubuntu:22.04",
            cpu_arch="amd64",
            instances=(instance,),
        )
        impossible += resolve(question, changes=0).verdict is Verdict.IMPOSSIBLE
    cells_s = time.perf_counter() - start_s
    if len(cells) != CELLS:
        print(f"{len(cells)} cells instead of {CELLS}", file=sys.stderr)
        return 1
    print(one_s, cells_s, impossible)
    return 0


if __name__ == "__main__":
    sys.exit(main())
