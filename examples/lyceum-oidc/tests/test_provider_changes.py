"""The provider changes its keys, or is not there."""

from __future__ import annotations

from house import House


async def test_new_key_is_found(house: House) -> None:
    """As soon as the provider signs by it; the former one is believed no more."""
    assert (await house.come(house.browser())).status == 303
    await house.campus.rotates()
    house.deployment.clock.advance(31)

    assert (await house.come(house.browser())).status == 303
    assert await house.campus.asked("/jwks") == 2


async def test_keys_that_nobody_has_do_not_make_us_ask_again_and_again(house: House) -> None:
    """Once in thirty seconds is enough."""
    await house.come(house.browser())
    house.deployment.clock.advance(31)
    await house.campus.lies(header={"kid": "nobody's"})

    for _ in range(3):
        assert (await house.come(house.browser())).status == 400

    assert await house.campus.asked("/jwks") == 2


async def test_keys_that_are_not_understood_are_passed_over(house: House) -> None:
    """Also beside those by which the provider signs: of a kind, or on a curve, that nobody here knows."""
    others = [{"kty": "EC", "crv": "brainpoolP256r1", "kid": "a", "x": "AA", "y": "AA"}, {"kty": "RSA"}, {}, "no key"]
    await house.campus.lies(keys=others)

    assert (await house.come(house.browser())).status == 303


async def test_what_the_provider_says_of_itself_is_remembered_for_an_hour(house: House) -> None:
    """Its metadata and its keys."""
    for _ in range(3):
        await house.come(house.browser())
    assert await house.campus.asked("/.well-known/openid-configuration") == 1
    assert await house.campus.asked("/jwks") == 1

    house.deployment.clock.advance(3601)
    await house.campus.knows()
    await house.leave(house.browser())

    assert await house.campus.asked("/.well-known/openid-configuration") == 2


async def test_provider_that_is_down_breaks_nothing_else(house: House) -> None:
    """A page says how to sign in without it; who is signed in stays."""
    browser, fresh = house.browser(), house.browser()
    await house.come(browser)
    back = await house.leave(fresh)
    await house.campus.stop()
    house.deployment.clock.advance(300)

    ended = await fresh.get(back)
    house.deployment.clock.advance(3601)
    begun = await fresh.get("/oidc/campus/begin")

    assert (ended.status, begun.status) == (503, 503)
    assert "sign in by email code" in begun.text
    assert (await fresh.get("/oidc")).status == 200
    assert await browser.who() is not None
    assert await (await house.by_code("tom@campus.test")).who() is not None
