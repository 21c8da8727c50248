"""Links: a sign-in of a provider joins an account that is there only if its owner, or the institution, says so."""

from __future__ import annotations

import json

from house import Browser, House, make_house

from kernel.contracts.audit import ActRecorded
from kernel.contracts.personal_data import PERSONAL_DATA, Subject
from kernel.testing.deploying import Deploy


async def test_account_that_is_there_is_not_joined_by_its_address(house: House) -> None:
    """The page says how to link it."""
    await house.by_code("ada@campus.test")
    browser = house.browser()

    answer = await house.come(browser)

    assert answer.status == 400
    assert "Sign in to it by email code, then link Campus to it" in answer.text
    assert await browser.who() is None


async def test_account_is_joined_where_the_institution_says_so(deploy: Deploy, house: House) -> None:
    """From then on by the subject."""
    trusting = await make_house(deploy, house.campus, link_verified_email=True)
    owner = await trusting.by_code("ada@campus.test")
    browser = trusting.browser()

    await trusting.come(browser)

    assert await browser.who() == await owner.who() is not None
    assert len(await trusting.links(owner)) == 1


async def test_administrator_is_never_joined_by_an_address(deploy: Deploy, house: House) -> None:
    """Also where the institution says so."""
    trusting = await make_house(deploy, house.campus, link_verified_email=True)
    await trusting.auth.grant("ada@campus.test", ["admin"])
    browser = trusting.browser()

    assert (await trusting.come(browser)).status == 400
    assert await browser.who() is None


async def test_owner_links_and_unlinks(house: House) -> None:
    """Both are recorded; whoever is unlinked comes in no more."""
    owner, browser = await house.by_code("ada@campus.test"), house.browser()
    await link(house, owner)
    await house.come(browser)
    assert await browser.who() == await owner.who() is not None
    [linked] = await house.links(owner)
    assert linked["label"] == "Campus"
    assert "Unlink Campus" in (await owner.get("/oidc/account")).text

    assert (await house.change(owner, "DELETE", f"/links/{linked['id']}")).status == 204

    assert await house.links(owner) == []
    assert (await house.come(house.browser())).status == 400
    acts = [event for event in await house.told(ActRecorded) if event.action.startswith("oidc.")]
    person = await owner.who()
    assert [(one.action, one.actor, one.subject) for one in acts] == [
        ("oidc.link", person, f"account:{person}"),
        ("oidc.unlink", person, f"account:{person}"),
    ]


async def test_link_is_begun_only_by_a_page_of_ours(house: House) -> None:
    """Another site can not have a browser link its own sign-in to somebody's account."""
    owner = await house.by_code("ada@campus.test")

    answer = await owner.get("/api/v1/oidc/links", "POST", {"provider": "campus"}, Accept="application/json")

    assert answer.status == 403


async def test_link_that_somebody_else_began_is_refused(house: House) -> None:
    """Whoever is signed in when the browser comes back must be who began it."""
    owner = await house.by_code("ada@campus.test")
    url = await begun(house, owner)
    back = await house.campus.sign_in(url, "ada")
    tom = await house.by_code("tom@campus.test")
    owner.cookies |= {name: value for name, value in tom.cookies.items() if name != "lyceum-oidc"}

    answer = await owner.get(back.removeprefix(house.deployment.url))

    assert answer.status == 400
    assert await house.links(tom) == []


async def test_sign_in_that_is_somebodys_is_linked_to_nobody_else(house: House) -> None:
    """It stays theirs."""
    await house.come(house.browser())
    tom = await house.by_code("tom@campus.test")

    answer = await tom.get(
        (await house.campus.sign_in(await begun(house, tom), "ada")).removeprefix(house.deployment.url)
    )

    assert answer.status == 400
    assert "belongs to another account" in answer.text
    assert await house.links(tom) == []


async def test_link_of_somebody_else_is_not_removed(house: House) -> None:
    """It is not found."""
    owner, tom = await house.by_code("ada@campus.test"), await house.by_code("tom@campus.test")
    await link(house, owner)
    [linked] = await house.links(owner)

    assert (await house.change(tom, "DELETE", f"/links/{linked['id']}")).status == 404
    assert len(await house.links(owner)) == 1


async def test_links_are_handed_out_and_erased(house: House) -> None:
    """The person comes back as a stranger."""
    owner = await house.by_code("ada@campus.test")
    await link(house, owner)
    person = await owner.who()
    assert person is not None
    part = dict(house.deployment.platform.services.named(PERSONAL_DATA))["oidc"]
    subject = Subject(user_id=person, email="ada@campus.test")

    [document] = [one async for one in part.export(subject)]
    receipt = await part.erase(subject)

    assert b'"subject": "ada"' in document.content
    assert receipt.erased
    assert await part.erase(subject) == receipt
    assert [one async for one in part.export(subject)] == []


async def link(house: House, owner: Browser) -> None:
    """Link Ada's sign-in to the account of *owner*."""
    back = await house.campus.sign_in(await begun(house, owner), "ada")
    answer = await owner.get(back.removeprefix(house.deployment.url))
    assert (answer.status, answer.location) == (303, "/oidc/account"), answer.text


async def begun(house: House, owner: Browser) -> str:
    """Return the address to which the browser is sent that begins to link."""
    answer = await house.change(owner, "POST", "/links", {"provider": "campus"})
    assert answer.status == 200, answer.text
    return str(json.loads(answer.text)["url"])
