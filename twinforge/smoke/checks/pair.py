"""The CPU and the CUDA image with one and the same model."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import telling
from twinforge.smoke.contract import NOT_RUN, invocation_check
from twinforge.smoke.pairing import difference
from twinforge.smoke.serving import invoke, wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step

__all__ = ["pair_checks"]


@contextmanager
def pair_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the step of the group ``pair``."""
    yield {"pair.same-answers": partial(_same_answers, bench)}


def _same_answers(bench: Bench) -> str:
    """Ask the partner what this image was asked, with the model that this image trained."""
    smoke, partner = bench.recipe.smoke, bench.partner
    if partner is None or not partner.image_id:
        named = partner.variant if partner else "the CPU image"
        message = f"{NOT_RUN}: {named} is not built here"
        raise SmokeError(message)
    asked = {
        index: one for index, one in enumerate(smoke.invocations) if one.status == HTTPStatus.OK
    }
    missing = [invocation_check(index) for index in asked if index not in bench.answers]
    if missing:
        message = f"there is no right answer to '{missing[0]}' to compare with"
        raise SmokeError(message)
    with (
        bench.server("pair.same-answers", bench.serving, image_id=partner.image_id) as other,
        telling(other),
    ):
        wait_for_ping(other, within_s=smoke.startup_s, ping_s=bench.limits.ping_s)
        for index, invocation in asked.items():
            answer = invoke(other, invocation, root=bench.root, timeout_s=bench.limits.request_s)
            found = difference(bench.answers[index], answer, smoke.pair)
            if found:
                message = f"{invocation_check(index)}, this image and {partner.variant}: {found}"
                raise SmokeError(message)
    return f"{len(asked)} answers, the same from {partner.variant} with the same model"
