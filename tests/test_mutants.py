"""The list of guards that `make mutants` takes away: it fits the code as it is."""

from __future__ import annotations

from tests.mutants import mutants
from tests.nodes import exists


def test_every_guard_stands_where_the_list_says() -> None:
    """Once, so that taking it away is what it says; whoever rewrites a guard rewrites its row of `mutants.toml`."""
    assert {mutant.guard: mutant.file for mutant in mutants() if mutant.occurrences() != 1} == {}


def test_every_guard_goes_when_it_is_taken_away() -> None:
    """A row whose two texts are one would prove nothing."""
    assert [mutant.guard for mutant in mutants() if mutant.text == mutant.without] == []


def test_every_guard_is_listed_once_with_tests_that_there_are() -> None:
    """And there are many."""
    found = mutants()

    assert len({mutant.guard for mutant in found}) == len(found) >= 30
    assert [test for mutant in found for test in mutant.tests if not exists(test)] == []
    assert [mutant.guard for mutant in found if not mutant.tests] == []
