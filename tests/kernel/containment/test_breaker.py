"""A breaker: so many faults within a while put a plugin in quarantine, and after that on probation."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import capture_logs

from kernel import problems
from kernel.containment.breaker import Breaker, Fault
from kernel.containment.settings import ContainmentSettings
from kernel.testing.clock import MovableClock

SETTINGS = ContainmentSettings(faults=4, window=60, quarantine=30, longest_quarantine=100)


class Story:
    """A breaker and its clock."""

    def __init__(self, settings: ContainmentSettings = SETTINGS) -> None:
        self.clock = MovableClock()
        self.breaker = Breaker(settings, clock=self.clock, log=structlog.get_logger())

    def fail(self, times: int, who: str = "") -> None:
        for _ in range(times):
            self.breaker.count(Fault.EVENT, "the handler: it broke", who)

    def after(self, seconds: float) -> bool:
        """Return whether the plugin rests, so many seconds later."""
        self.clock.advance(seconds)
        return self.breaker.rests()

    def lengths(self, times: int) -> list[int]:
        """Return how long quarantines last that follow one another, each after a fault on probation."""
        found = []
        for _ in range(times):
            held = self.breaker.quarantine()
            assert held is not None
            found.append(round((held.until - held.since).total_seconds()))
            assert not self.after(found[-1] + 1)
            self.fail(1)
        return found


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_fault_more_puts_the_plugin_in_quarantine(story: Story) -> None:
    """One fault less than that does nothing; the log line names the reason and what to do."""
    story.fail(3)
    before = story.breaker.rests()
    with capture_logs() as logs:
        story.fail(1)

    held = story.breaker.quarantine()
    assert (before, story.breaker.rests(), story.breaker.shut) == (False, True, True)
    assert held is not None
    assert held.reason == "4 event within 60 s, the last: the handler: it broke"
    (line,) = logs
    assert (line["event"], line["action"], line["seconds"]) == ("plugin in quarantine", "quarantine", 30)
    assert "restart" in line["remedy"]


def test_faults_count_within_the_window_alone(story: Story) -> None:
    """What is older is forgotten."""
    story.fail(3)
    story.clock.advance(61)
    story.fail(3)

    assert not story.breaker.rests()
    assert story.breaker.counts == {Fault.EVENT: 6}


def test_one_caller_can_not_close_a_plugin_for_everybody(story: Story) -> None:
    """Whoever finds a request that fails counts for a quarter; all of it is in the numbers nevertheless."""
    story.fail(100, who="ada")
    alone = story.breaker.rests()
    story.fail(1, who="ben")
    story.fail(1, who="cem")
    three = story.breaker.rests()
    story.fail(1, who="dee")

    assert (alone, three, story.breaker.rests()) == (False, False, True)
    assert story.breaker.counts == {Fault.EVENT: 103}


def test_quarantine_ends_after_its_time_with_a_probation(story: Story) -> None:
    """Requests are let in again; it is on probation until a window has passed without a fault."""
    story.fail(4)
    rested = [story.after(29), story.after(2)]
    on_probation = story.breaker.quarantine()
    story.clock.advance(61)

    assert rested == [True, False]
    assert on_probation is not None
    assert story.breaker.quarantine() is None


def test_fault_on_probation_doubles_the_quarantine_up_to_a_bound(story: Story) -> None:
    """A quarter of the faults is enough then."""
    story.fail(4)

    assert story.lengths(4) == [30, 60, 100, 100]


def test_one_caller_can_not_keep_a_plugin_closed() -> None:
    """On probation, too, it takes several; an event that fails each time does not prolong a quarantine for ever."""
    story = Story(ContainmentSettings(faults=20, quarantine=30))
    story.fail(20)
    story.after(31)
    story.fail(100, who="ada")
    alone = story.breaker.rests()
    story.fail(2, who="ben")
    two = story.breaker.rests()
    story.fail(1, who="cem")

    assert (alone, two, story.breaker.rests()) == (False, False, True)


def test_probation_that_was_passed_begins_anew_with_the_shortest_quarantine(story: Story) -> None:
    """And with as many faults as it took the first time."""
    story.fail(4)
    story.lengths(2)
    story.after(101)
    story.after(61)
    story.fail(3)
    still_works = not story.breaker.rests()
    story.fail(1)

    assert still_works
    assert story.lengths(1) == [30]


def test_faults_of_what_had_begun_before_do_not_prolong_a_quarantine(story: Story) -> None:
    """They are in the numbers."""
    story.fail(4)
    until = story.breaker.quarantine()
    story.fail(10)

    assert story.breaker.quarantine() == until
    assert story.breaker.counts == {Fault.EVENT: 14}


def test_clock_that_is_set_back_keeps_nobody_in_quarantine(story: Story) -> None:
    """The quarantine that has yet to begin is over, and faults of the future are forgotten."""
    story.fail(4)

    assert not story.after(-3600)


def test_refusal_says_when_to_come_back_and_not_why(story: Story) -> None:
    """The reason is for operators."""
    story.fail(4)
    story.clock.advance(10)

    with pytest.raises(problems.PluginQuarantined) as refused:
        story.breaker.refuse("ledger")

    assert refused.value.headers in ({"Retry-After": "20"}, {"Retry-After": "19"})
    assert "it broke" not in str(refused.value.document())
    story.clock.advance(21)
    story.breaker.refuse("ledger")


def test_longest_quarantine_is_no_shorter_than_the_first() -> None:
    """The message names the keys."""
    with pytest.raises(ValueError, match="longest_quarantine must not be shorter than quarantine"):
        ContainmentSettings(quarantine=10, longest_quarantine=5)
