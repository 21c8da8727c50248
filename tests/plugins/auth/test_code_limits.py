"""How often an address may have a code, and how often it may be wrong."""

from __future__ import annotations

import pytest

from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.auth.signing_in import CODES, SESSIONS, Asked, ask, status

DAY = 24 * 3600


async def waiting(deployment: Deployment, email: str) -> int | None:
    """Return after how many seconds *email* may ask again, None if it was sent a code."""
    async with deployment.client().post(CODES, json={"email": email}) as answer:
        if answer.status == 202:
            await deployment.mailbox.next(to=email)
            return None
        assert answer.status == 429
        return int(answer.headers["Retry-After"])


async def guess(deployment: Deployment, asked: Asked, times: int) -> None:
    """Send a wrong code so many times."""
    for _ in range(times):
        assert await status(deployment.client(), "POST", SESSIONS, asked.wrong()) == 401


async def test_address_gets_one_mail_a_minute(deploy: Deploy) -> None:
    """The answer says when to come back; a restart does not forget."""
    deployment = await deploy("auth", "mail")
    assert await waiting(deployment, "ada@example.org") is None
    deployment.clock.advance(20)

    assert await waiting(deployment, "ada@example.org") in range(35, 41)
    await deployment.restart("auth", "mail")
    assert await waiting(deployment, "ada@example.org") in range(20, 41)
    assert await waiting(deployment, "bob@example.org") is None
    deployment.clock.advance(41)
    assert await waiting(deployment, "ada@example.org") is None


async def test_address_gets_five_mails_an_hour(deploy: Deploy) -> None:
    """The hour moves along: each mail makes room when it is an hour old."""
    deployment = await deploy("auth", "mail")
    for _ in range(5):
        assert await waiting(deployment, "ada@example.org") is None
        deployment.clock.advance(120)

    assert await waiting(deployment, "ada@example.org") in range(2950, 3001)
    deployment.clock.advance(3001)
    assert await waiting(deployment, "ada@example.org") is None
    deployment.clock.advance(61)
    assert await waiting(deployment, "ada@example.org") in range(1, 60)


async def test_ten_requests_in_a_minute_are_one_mail(deploy: Deploy) -> None:
    """Nine of them are refused and send nothing."""
    deployment = await deploy("auth", "mail")

    answers = [await waiting(deployment, "ada@example.org") for _ in range(10)]

    assert [answer is None for answer in answers] == [True] + [False] * 9
    assert len(deployment.mailbox.messages) == 1


async def test_five_wrong_codes_double_the_wait(deploy: Deploy) -> None:
    """The next code comes after two minutes instead of one."""
    deployment = await deploy("auth", "mail")
    await guess(deployment, await ask(deployment, "ada@example.org"), 5)
    deployment.clock.advance(61)

    assert await waiting(deployment, "ada@example.org") in range(50, 61)
    deployment.clock.advance(60)
    assert await waiting(deployment, "ada@example.org") is None


async def test_twenty_wrong_codes_close_an_address_for_the_day(deploy: Deploy) -> None:
    """New codes do not reset the count, the right code does not help, and the next day all is well."""
    deployment = await deploy("auth", "mail")
    for _ in range(4):
        asked = await ask(deployment, "ada@example.org")
        await guess(deployment, asked, 4)
        deployment.clock.advance(3600)
    asked = await ask(deployment, "ada@example.org")
    await guess(deployment, asked, 4)

    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == 401
    deployment.clock.advance(3600)
    assert await waiting(deployment, "ada@example.org") in range(DAY - 5 * 3600 - 60, DAY - 5 * 3600 + 1)
    deployment.clock.advance(DAY)
    asked = await ask(deployment, "ada@example.org")
    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == 201


async def test_signing_in_takes_back_only_its_own_try(deploy: Deploy) -> None:
    """Whoever guesses gets no new tries from the owner's sign-ins."""
    deployment = await deploy("auth", "mail")
    for _ in range(5):
        asked = await ask(deployment, "ada@example.org")
        await guess(deployment, asked, 4)
        found = await status(deployment.client(), "POST", SESSIONS, asked.body())
        deployment.clock.advance(3600)

    assert found == 401, "the owner's sign-ins between must not have made room for more than twenty guesses"


async def test_client_address_has_a_limit_of_its_own(deploy: Deploy) -> None:
    """One client can not have codes sent to any number of addresses."""
    deployment = await deploy("auth", "mail", settings={"auth": {"code_requests": "3/minute"}})

    found = [
        await status(deployment.client(), "POST", CODES, {"email": f"{name}@example.org"})
        for name in ("ada", "bob", "eve", "zoe")
    ]

    assert found == [202, 202, 202, 429]


@pytest.mark.parametrize("path", ["sessions", "tokens"])
async def test_guessing_has_a_limit_for_each_client(deploy: Deploy, path: str) -> None:
    """Codes and refresh tokens can not be tried without end."""
    deployment = await deploy("auth", "mail", settings={"auth": {"sign_ins": "2/minute", "refreshes": "2/minute"}})
    body: dict[str, object] = {"challenge_id": "00000000-0000-4000-8000-000000000000", "code": "123456"}
    if path == "tokens":
        body = {"refresh_token": "nonsense"}

    found = [await status(deployment.client(), "POST", f"/api/v1/auth/{path}", body) for _ in range(3)]

    assert found == [401, 401, 429]
