"""What is not from the provider, not for us or not of this browser signs nobody in."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest
from house import House, path_of

from kernel.contracts.auth import SessionStarted, UserRegistered

LIES: Final[dict[str, dict[str, Any]]] = {
    "signed by another key": {"forged": True},
    "of another issuer": {"claims": {"iss": "https://evil.test"}},
    "for another client": {"claims": {"aud": "other"}},
    "for several clients, made for none": {"claims": {"aud": ["lyceum", "other"]}},
    "for several clients, made for another": {"claims": {"aud": ["lyceum", "other"], "azp": "other"}},
    "made for another client": {"claims": {"azp": "other"}},
    "of another sign-in": {"claims": {"nonce": "of another sign-in"}},
    "of no sign-in": {"without": ["nonce"]},
    "expired": {"claims": {"exp": int(time.time()) - 120}},
    "for ever": {"without": ["exp"]},
    "of tomorrow": {"claims": {"iat": int(time.time()) + 86_400}},
    "of nobody": {"claims": {"sub": ""}},
    "not signed": {"header": {"alg": "none"}},
    "signed by the public key": {"header": {"alg": "HS256"}},
    "signed by a key that nobody has": {"header": {"kid": "nobody's"}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_token_that_lies_signs_nobody_in(house: House, lie: dict[str, Any]) -> None:
    """The same provider, telling the truth, does."""
    browser = house.browser()
    await house.campus.lies(**lie)

    answer = await house.come(browser)

    assert answer.status == 400
    assert "This sign-in did not work" in answer.text
    assert await browser.who() is None
    assert await house.told(UserRegistered) == []
    await house.campus.lies()
    assert (await house.come(browser)).status == 303


async def test_state_is_good_once(house: House) -> None:
    """Whoever reads it later, in a history or a log, gets nothing by it."""
    browser = house.browser()
    back = await house.leave(browser)
    assert (await browser.get(back)).status == 303

    assert (await browser.get(back)).status == 400
    assert len(await house.told(SessionStarted)) == 1


async def test_state_of_another_browser_is_no_good(house: House) -> None:
    """Nobody is signed in to somebody else's account by a link; who began it can still end it."""
    attacker, victim, fresh = house.browser(), house.browser(), house.browser()
    back = await house.leave(attacker, "eve")
    await house.leave(victim)

    answers = [await victim.get(back), await fresh.get(back)]

    assert [answer.status for answer in answers] == [400, 400]
    assert "begun in another browser" in answers[0].text
    assert [await victim.who(), await fresh.who()] == [None, None]
    await house.campus.knows("eve", email="eve@campus.test")
    assert (await attacker.get(await house.leave(attacker, "eve"))).status == 303


async def test_state_is_good_for_ten_minutes(house: House) -> None:
    """Afterwards one begins anew."""
    browser = house.browser()
    back = await house.leave(browser)
    house.deployment.clock.advance(601)

    assert (await browser.get(back)).status == 400
    assert await browser.who() is None


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x&code=x", f"?state={'x' * 43}&code=x"])
async def test_callback_out_of_nowhere_is_refused(house: House, query: str) -> None:
    """With a page for people."""
    answer = await house.browser().get(f"/oidc/callback{query}")

    assert answer.status == 400
    assert "This sign-in did not work" in answer.text


async def test_answer_of_another_provider_is_refused(house: House) -> None:
    """One that says by `iss` who it is (RFC 9207)."""
    browser = house.browser()
    back = await house.leave(browser)

    assert (await browser.get(path_of(f"{back}&iss=https://evil.test"))).status == 400
    assert await browser.who() is None


async def test_code_of_another_sign_in_is_refused(house: House) -> None:
    """The provider holds it against the verifier of PKCE, which never left us."""
    attacker, victim = house.browser(), house.browser()
    stolen = code_of(await house.leave(victim))
    own = await house.leave(attacker, "eve")

    answer = await attacker.get(own.replace(code_of(own), stolen))

    assert answer.status == 400
    assert await attacker.who() is None


async def test_two_tabs_of_one_browser_do_not_disturb_each_other(house: House) -> None:
    """Each has a state of its own."""
    browser = house.browser()
    backs = [await house.leave(browser), await house.leave(browser)]

    assert [(await browser.get(back)).status for back in backs] == [303, 303]


def code_of(back: str) -> str:
    return back.partition("code=")[2].partition("&")[0]
