"""Voucher codes: easy to type, impossible to guess, known to no database."""

from __future__ import annotations

import re

import pytest

from kernel import new_id
from kernel.secrets import Secrets
from plugins.payments.codes import ALPHABET, Codes, is_mistyped, normalised

SECRETS = Secrets(b"a secret of thirty-two bytes or more")


def test_code_is_sixteen_symbols_that_look_like_no_other_and_a_check() -> None:
    """80 bits without the letters I, L, O and U, a check symbol and a `U`, in groups of six."""
    code = Codes(SECRETS).make(new_id(), 0, "")

    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{6}-){2}[0-9A-HJKMNP-TV-Z]{5}U", code)


def test_code_of_an_older_batch_stays_as_it_was() -> None:
    """Without a check symbol, in groups of four; it has a digest like any other."""
    batch, codes = new_id(), Codes(SECRETS)

    older, newer = codes.make(batch, 0, "SPRING", checked=False), codes.make(batch, 0, "SPRING")

    assert re.fullmatch(r"SPRING(-[0-9A-HJKMNP-TV-Z]{4}){4}", older)
    assert (normalised(newer) or "").startswith(normalised(older) or "?")
    assert codes.hash(older) is not None
    assert codes.hash(older) != codes.hash(newer)


@pytest.mark.parametrize("prefix", ["", "SPRING", "OIL", "U", "00"])
def test_mistyped_code_shows_in_its_check_symbol(prefix: str) -> None:
    """Of all codes with one wrong symbol at least nine in ten are not even looked up; a right one always is."""
    codes = Codes(SECRETS)
    plain = normalised(codes.make(new_id(), 7, prefix)) or ""

    wrong = [
        plain[:place] + symbol + plain[place + 1 :]
        for place in range(len(plain) - 1)
        for symbol in ALPHABET
        if symbol != plain[place]
    ]

    assert codes.hash(plain) is not None
    assert sum(is_mistyped(code) and codes.hash(code) is None for code in wrong) > 0.9 * len(wrong)


def test_code_that_was_never_checked_is_not_mistyped() -> None:
    """The symbols of an older code end with no `U`, so none of them is taken for a check symbol."""
    assert not is_mistyped("ABCDEFGHJKMNPQRS")


def test_code_belongs_to_its_voucher_and_its_deployment() -> None:
    """The same place gives the same code, every other place and every other secret another."""
    batch, other = new_id(), Codes(Secrets(b"another secret of thirty-two bytes."))
    codes = Codes(SECRETS)

    made = {codes.make(batch, 0, ""), codes.make(batch, 1, ""), codes.make(new_id(), 0, ""), other.make(batch, 0, "")}

    assert codes.make(batch, 0, "") == codes.make(batch, 0, "")
    assert len(made) == 4
    assert codes.hash("0000") != other.hash("0000")


@pytest.mark.parametrize("typed", ["spring-0a1b-2c3d", "SPRING 0A1B 2C3D", "sprlng-Oalb-2c3d", " SPR1NG0A1B2C3D\n"])
def test_code_is_read_however_it_was_typed(typed: str) -> None:
    """Case, separators and look-alikes do not matter."""
    assert normalised(typed) == "SPR1NG0A1B2C3D"


@pytest.mark.parametrize("typed", ["", " - ", "ÄÖÜ", "１２３４", "a_b", "a\0b", "🙂"])
def test_code_with_other_characters_is_none(typed: str) -> None:
    """What can be no code is not even looked up."""
    assert normalised(typed) is None
    assert Codes(SECRETS).hash(typed) is None
