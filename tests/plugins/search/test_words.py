"""How text becomes terms."""

from __future__ import annotations

import doctest

import pytest

from plugins.search import words


def test_examples_are_true() -> None:
    """Those that stand beside the functions."""
    done = doctest.testmod(words)

    assert done.attempted > 4
    assert not done.failed


@pytest.mark.parametrize(
    ("one", "other"), [("Å", "å"), ("ＡＢＣ", "abc"), ("أحمد", "احمد"), ("۱۲۳", "123"), ("Łódź", "lodz")]
)
def test_ways_of_writing_become_one(one: str, other: str) -> None:
    """Whichever of them is indexed, and whichever is typed."""
    assert words.words(one) == words.words(other)


def test_two_words_share_a_deletion_where_one_slip_parts_them() -> None:
    """So that looking for those that share one finds all of them."""
    for typed in ("pythn", "pythonn", "oython", "pyhton"):
        assert words.one_slip(typed, "python")
        assert words.deletions(typed) & words.deletions("python")
    assert not words.one_slip("pyth", "python")
