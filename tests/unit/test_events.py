from __future__ import annotations

import dataclasses

import pytest

from twinforge import events
from twinforge.events import Event, State


def test_an_event_says_nothing_that_it_was_not_told() -> None:
    event = Event("build", "digits/cpu", State.STARTED)
    assert (event.text, event.done, event.total, event.unit) == ("", 0, 0, "steps")


def test_an_event_is_a_value() -> None:
    event = Event("build", "digits/cpu", State.DONE)
    assert event == Event("build", "digits/cpu", State.DONE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.text = "other"  # type: ignore[misc]  # what is tested


def test_the_silent_listener_is_a_listener() -> None:
    listener: events.Listener = events.ignore
    listener(Event("build", "digits/cpu", State.FAILED, "boom"))


def test_all_is_complete() -> None:
    assert set(events.__all__) == {"Event", "Listener", "State", "ignore"}
