"""Signing in: whom a provider knows comes in, under one account for ever."""

from __future__ import annotations

import pytest
from house import House, make_house, path_of

from kernel.contracts.auth import SessionStarted, UserRegistered
from kernel.testing.deploying import Deploy


async def test_first_sign_in_makes_an_account(house: House) -> None:
    """With what the provider says of the person; a page shows the way."""
    browser = house.browser()
    assert 'href="/oidc"' in (await browser.get("/")).text
    assert 'href="/oidc/campus/begin"' in (await browser.get("/oidc")).text

    answer = await house.come(browser)

    assert (answer.status, answer.location) == (303, "/")
    [told] = await house.told(UserRegistered)
    assert (told.email, told.display_name, told.locale) == ("ada@campus.test", "Ada Long", "de")
    assert await browser.who() == told.user_id


async def test_second_sign_in_finds_the_account(house: House) -> None:
    """In another browser too."""
    first, second = house.browser(), house.browser()
    await house.come(first)

    await house.come(second)

    assert await second.who() == await first.who() is not None
    assert len(await house.told(UserRegistered)) == 1
    assert len(await house.told(SessionStarted)) == 2


async def test_person_stays_the_same_when_the_address_changes(house: House) -> None:
    """Also when the new one is somebody else's here, or is not verified."""
    first, second = house.browser(), house.browser()
    await house.come(first)
    await house.by_code("tom@campus.test")
    await house.campus.knows(email="tom@campus.test", email_verified=False)

    await house.come(second)

    assert await second.who() == await first.who() is not None


async def test_other_subject_of_the_same_address_is_another_person(house: House) -> None:
    """A provider that gives an address to somebody new does not give them the account."""
    await house.come(house.browser())
    await house.campus.knows("ada-the-younger")
    browser = house.browser()

    answer = await house.come(browser, "ada-the-younger")

    assert answer.status == 400
    assert "There is an account of your address already" in answer.text
    assert await browser.who() is None


async def test_session_is_listed_with_who_vouched(house: House) -> None:
    """So that its owner knows it again."""
    browser = house.browser()
    await house.come(browser)

    assert '"signed_in_by":"Campus"' in (await browser.get("/api/v1/auth/sessions", Accept="application/json")).text


@pytest.mark.parametrize("verified", [False, "true", 1, None])
async def test_address_that_is_not_verified_is_refused(house: House, verified: object) -> None:
    """Anybody can type an address. The page says what to do."""
    await house.campus.knows(email_verified=verified)
    browser = house.browser()

    answer = await house.come(browser)

    assert answer.status == 400
    assert "has not verified your mail address" in answer.text
    assert await browser.who() is None
    assert await house.told(UserRegistered) == []


async def test_address_of_another_domain_is_refused(deploy: Deploy, house: House) -> None:
    """Where the institution has said of whose addresses the provider may speak."""
    strict = await make_house(deploy, house.campus, email_domains=["staff.test"])
    browser = strict.browser()

    answer = await strict.come(browser)
    await house.campus.knows("eve", email="eve@staff.test.evil.test")
    other = await strict.come(browser, "eve")

    assert (answer.status, other.status) == (400, 400)
    assert "only for addresses at staff.test" in answer.text
    assert await browser.who() is None


async def test_disabled_person_is_not_let_in(house: House) -> None:
    """Whatever the provider says."""
    browser, again = house.browser(), house.browser()
    await house.come(browser)
    person = await browser.who()
    assert person is not None
    await house.auth.close(person)

    answer = await house.come(again)

    assert answer.status == 403
    assert "The account is closed" in answer.text
    assert await again.who() is None


async def test_browser_goes_on_to_where_it_was(house: House) -> None:
    """A path of ours, with its query."""
    answer = await house.come(house.browser(), target="/api/docs?page=2")

    assert answer.location == "/api/docs?page=2"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
        "/\n/evil.test",
        "evil.test",
        "",
        "/" + "x" * 600,
    ],
)
async def test_browser_goes_nowhere_else(house: House, target: str) -> None:
    """Whatever a link says that somebody else wrote."""
    answer = await house.come(house.browser(), target=target)

    assert (answer.status, answer.location) == (303, "/")


async def test_person_who_says_no_is_told_how_to_go_on(house: House) -> None:
    """And the state is used up."""
    browser = house.browser()
    back = await house.leave(browser)
    denied = path_of(back.replace("code=", "error=access_denied&was="))

    answer = await browser.get(denied)

    assert answer.status == 400
    assert "Campus did not sign you in" in answer.text
    assert (await browser.get(back)).status == 400
    assert await browser.who() is None


async def test_provider_that_is_not_set_is_not_found(house: House) -> None:
    """Its name is somebody's guess."""
    assert (await house.browser().get("/oidc/nowhere/begin")).status == 404
