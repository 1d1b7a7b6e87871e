from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.sagemaker.local.interrupts import holding_interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals as the program sets them."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_waits_for_the_body(number: signal.Signals) -> None:
    with holding_interrupts() as was_interrupted:
        assert not was_interrupted()
        signal.raise_signal(number)
        assert was_interrupted()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def interrupt(done: list[str], times: int, then: Exception | None = None) -> None:
    """Interrupt a body, which may fail afterwards."""
    with holding_interrupts():
        for number in range(times):
            signal.raise_signal(signal.SIGINT)
            done.append(str(number))
        if then is not None:
            raise then


def test_a_second_interrupt_is_not_held() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupt(done, 2)
    assert done == ["0"]


def test_a_failure_of_the_body_does_not_lose_the_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt([], 1, OSError("no answer"))
    with pytest.raises(OSError, match="no answer"):
        interrupt([], 0, OSError("no answer"))


def test_what_is_ignored_and_what_another_thread_does_stays_as_it_is() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with holding_interrupts() as was_interrupted:
        signal.raise_signal(signal.SIGHUP)
        assert not was_interrupted()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    found: list[object] = []

    def elsewhere() -> None:
        with holding_interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
