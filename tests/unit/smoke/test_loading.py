"""Which of a recipe's requests are sent many at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from twinforge.model.recipe import Invocation
from twinforge.smoke.checks.loading import _Trial


@pytest.mark.parametrize(
    ("sizes", "sent"),
    [
        ((200,), (200,)),
        ((200, 200, 300), (200, 200)),
        ((200, 1224), (200, 1224)),
        ((200, 1225), (200,)),  # a batch, of which 64 at once try how fast the model is
        ((50_000, 50_100, 90_000), (50_000, 50_100)),
    ],
)
def test_the_smallest_request_and_one_like_it(
    sizes: tuple[int, ...], sent: tuple[int, ...]
) -> None:
    bodies = {f"{number}.csv": b"1" * size for number, size in enumerate(sizes)}
    invocations = [Invocation("text/csv", name, 200, "", {}, "", 0.0) for name in bodies]
    bench: Any = SimpleNamespace(
        cases=list(enumerate(invocations)), body=lambda one: bodies[one.body]
    )
    trial = _Trial(bench, server=cast("Any", None))
    assert tuple(len(bodies[one.body]) for one in trial._invocations()) == sent
