"""Voucher codes: easy to type, impossible to guess, known to no database."""

from __future__ import annotations

import re

import pytest

from kernel import new_id
from kernel.secrets import Secrets
from plugins.payments.codes import Codes, normalised

SECRETS = Secrets(b"a secret of thirty-two bytes or more")


def test_code_is_sixteen_symbols_that_look_like_no_other() -> None:
    """80 bits in groups of four, without the letters I, L, O and U."""
    code = Codes(SECRETS).make(new_id(), 0, "")

    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)


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
