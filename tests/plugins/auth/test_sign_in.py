"""Signing in: a code from a mail becomes a session, once."""

from __future__ import annotations

import asyncio
import re

import pytest
import sqlalchemy as sa

from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth.administration import Administration
from tests.plugins.auth.signing_in import (
    CODES,
    SESSIONS,
    Asked,
    administrator,
    ask,
    grant,
    problem,
    published,
    sign_in,
    signed_in,
    status,
)

REFUSED = {
    "type": "/problems/code-refused",
    "title": "The code is not good; try again, or ask for a new one",
    "status": 401,
}


async def refusal(deployment: Deployment, body: dict[str, object]) -> tuple[int, dict[str, object]]:
    found, document = await problem(deployment.client(), "POST", SESSIONS, body)
    return found, {name: value for name, value in document.items() if name in REFUSED}


async def test_sign_in_first_time_registers(deploy: Deploy) -> None:
    """The first sign-in makes an account with the role of a student, and tells of it."""
    deployment = await deploy("auth", "mail")

    answer = await sign_in(deployment, "Ada@Example.org", display_name="Ada", locale="en-GB")

    assert answer["user"]["email"] == "ada@example.org"
    assert answer["user"]["roles"] == ["student"]
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    assert await published(deployment) == [
        "mail.mail_requested.v1",
        "auth.user_registered.v1",
        "auth.session_started.v1",
    ]


async def test_sign_in_again_is_the_same_account(deploy: Deploy) -> None:
    """An address is one account, whatever the case in which it is typed."""
    deployment = await deploy("auth", "mail")
    first = await sign_in(deployment, "ada@example.org")
    deployment.clock.advance(61)

    second = await sign_in(deployment, "ADA@example.ORG")

    assert second["user"]["id"] == first["user"]["id"]
    assert second["session_id"] != first["session_id"]
    assert (await published(deployment)).count("auth.user_registered.v1") == 1


async def test_nothing_is_made_before_the_code_came_back(deploy: Deploy) -> None:
    """Asking for a code makes no account."""
    deployment = await deploy("auth", "mail")
    await ask(deployment, "ada@example.org")

    administration = deployment.platform.context("auth").own(Administration)

    assert await administration.accounts(limit=10, after="", prefix=None, role=None, active=None) == []


async def test_code_is_good_once(deploy: Deploy) -> None:
    """A used code is refused."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    await deployment.client().call("POST", SESSIONS, asked.body(), expect=201)

    assert await refusal(deployment, asked.body()) == (401, REFUSED)


async def test_code_is_dead_after_five_tries(deploy: Deploy) -> None:
    """After five wrong codes the right one is refused, and no answer says why."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    wrong = [await refusal(deployment, asked.wrong()) for _ in range(5)]

    right = await refusal(deployment, asked.body())

    assert {*map(str, wrong), str(right)} == {str((401, REFUSED))}
    assert "auth.session_started.v1" not in await published(deployment)


async def test_code_is_good_at_the_fifth_try(deploy: Deploy) -> None:
    """Four wrong codes are forgiven."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    for _ in range(4):
        await refusal(deployment, asked.wrong())

    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == 201


@pytest.mark.parametrize(("seconds", "expected"), [(295, 201), (301, 401)])
async def test_code_lives_five_minutes(deploy: Deploy, seconds: int, expected: int) -> None:
    """By the clock of the deployment."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    deployment.clock.advance(seconds)

    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == expected


async def test_code_needs_its_challenge(deploy: Deploy) -> None:
    """A right code is refused with another browser's challenge, or with one that nobody was given."""
    deployment = await deploy("auth", "mail")
    ada, bob = await ask(deployment, "ada@example.org"), await ask(deployment, "bob@example.org")
    while bob.code == ada.code:  # once in a million
        deployment.clock.advance(61)
        bob = await ask(deployment, "bob@example.org")
    unknown = "00000000-0000-4000-8000-000000000000"

    assert await refusal(deployment, Asked(ada.challenge_id, bob.code).body()) == (401, REFUSED)
    assert await refusal(deployment, Asked(unknown, ada.code).body()) == (401, REFUSED)


async def test_newer_code_ends_the_older_one(deploy: Deploy) -> None:
    """Only the newest code of an address is good."""
    deployment = await deploy("auth", "mail")
    older = await ask(deployment, "ada@example.org")
    deployment.clock.advance(61)
    newer = await ask(deployment, "ada@example.org")

    assert await refusal(deployment, older.body()) == (401, REFUSED)
    assert await status(deployment.client(), "POST", SESSIONS, newer.body()) == 201


@pytest.mark.postgresql_only
@pytest.mark.parametrize("attempt", range(5))
async def test_code_at_fifty_hands_gives_one_session(deploy: Deploy, attempt: int) -> None:
    """Of fifty who send the right code to two processes at the same moment exactly one signs in."""
    deployment = await deploy("auth", "mail")
    processes = [deployment, await deployment.twin()] if attempt % 2 else [deployment]
    asked = await ask(deployment, "ada@example.org")
    clients = [processes[number % len(processes)].client() for number in range(50)]

    answers = await asyncio.gather(*(status(client, "POST", SESSIONS, asked.body()) for client in clients))

    assert sorted(answers) == [201] + [401] * 49
    assert (await published(deployment)).count("auth.session_started.v1") == 1


@pytest.mark.postgresql_only
async def test_wrong_codes_at_the_same_moment_count_each(deploy: Deploy) -> None:
    """Fifty guesses at once are five guesses."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    guesses = [{"challenge_id": asked.challenge_id, "code": f"{number:06}"} for number in range(50)]

    await asyncio.gather(*(status(deployment.client(), "POST", SESSIONS, guess) for guess in guesses))

    assert await _attempts(deployment) == [(5, 5)]


@pytest.mark.postgresql_only
async def test_first_sign_ins_of_one_person_at_once_make_one_account(deploy: Deploy) -> None:
    """An address is registered once, however many browsers it signs in with."""
    deployment = await deploy("auth", "mail")
    administration = deployment.platform.context("auth").own(Administration)

    await asyncio.gather(*(grant(deployment, "ada@example.org", "student") for _ in range(20)))

    assert len(await administration.accounts(limit=10, after="", prefix=None, role=None, active=None)) == 1
    assert (await published(deployment)).count("auth.user_registered.v1") == 1


async def test_disabled_account_is_refused_like_a_wrong_code(deploy: Deploy) -> None:
    """Nobody learns that an account was closed."""
    deployment = await deploy("auth", "mail")
    person = (await sign_in(deployment, "ada@example.org"))["user"]["id"]
    admin = await administrator(deployment)
    await admin.call("POST", f"/api/v1/auth/accounts/{person}/disable")
    deployment.clock.advance(61)

    asked = await ask(deployment, "ada@example.org")

    assert await refusal(deployment, asked.body()) == (401, REFUSED)


async def test_known_and_unknown_address_get_the_same_answer(deploy: Deploy) -> None:
    """Whoever asks for a code does not learn whether the address has an account."""
    deployment = await deploy("auth", "mail")
    await signed_in(deployment, "ada@example.org")
    deployment.clock.advance(61)

    async def shape(email: str) -> tuple[int, list[str], list[str]]:
        async with deployment.client().post(CODES, json={"email": email}) as answer:
            return answer.status, sorted(answer.headers), sorted(await answer.json())

    assert await shape("ada@example.org") == await shape("nobody@example.org")


async def test_code_is_nowhere_in_clear(deploy: Deploy, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither databases nor logs hold a code, before and after its mail has left."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    await deployment.client().call("POST", SESSIONS, asked.wrong(), expect=401)
    before = await _dump(deployment)
    await deployment.client().call("POST", SESSIONS, asked.body(), expect=201)
    await deployment.settle()
    after = await _dump(deployment)
    await deployment.stop()  # which writes the last lines of the log
    told = "".join(capfd.readouterr())

    found = re.findall(rf"(?<![0-9a-f]){asked.code}(?![0-9a-f])", before + after + told)

    assert found == []
    assert asked.challenge_id in told, "attempts are logged"


NO_ADDRESSES = (
    *("", "ada", "ada@", "@example.org", "ada@example.org\n", "a b@example.org", "a@b@example.org", "a\0@example.org"),
    *(
        "ada@example.org, eve@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ä@example.org",
        "a" * 65 + "@b.c",
    ),
)


@pytest.mark.sqlite_only
async def test_what_is_no_address_is_refused(deploy: Deploy) -> None:
    """The answer names the field."""
    deployment = await deploy("auth", "mail")

    for email in NO_ADDRESSES:
        found, document = await problem(deployment.client(), "POST", CODES, {"email": email})
        assert (email, found) == (email, 422)
        assert [error["field"] for error in document["errors"]] == ["body.email"]


async def _attempts(deployment: Deployment) -> list[tuple[int, int]]:
    async with deployment.platform.context("auth").db.engine().connect() as connection:
        return [
            (row[0], row[1]) for row in await connection.execute(sa.text("select attempts, failures from addresses"))
        ]


async def _dump(deployment: Deployment) -> str:
    """Return every value of every table of auth and mail as text."""
    found = []
    for plugin in ("auth", "mail"):
        async with deployment.platform.context(plugin).db.engine().connect() as connection:
            for table in await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()):
                found += [str(tuple(row)) for row in await connection.execute(sa.text(f"select * from {table}"))]
    return "\n".join(found)
