"""HTTP: one's own profile, and what everybody may read of those who teach."""

from __future__ import annotations

import asyncio

import msgspec

from kernel import new_id
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled
from kernel.contracts.users import ProfileChanged
from kernel.contracts.users_http import OwnProfile, Teacher
from kernel.testing.clients import Client
from kernel.testing.contracts.users.deployed import BASE, ME, DeployedUsers
from kernel.testing.contracts.users.harness import registered

#: Each is refused beside a change that is right.
WRONG: tuple[tuple[str, object], ...] = (
    ("display_name", ""),
    ("display_name", "a\nb"),
    ("display_name", "a" * 81),
    ("locale", "english"),
    ("time_zone", "Mars/Olympus"),
    ("time_zone", "../../etc/passwd"),
    ("id", "00000000-0000-7000-8000-000000000000"),
    ("roles", ["admin"]),
)


class ProfilesContract:
    """What every provider answers about profiles."""

    async def test_profile_is_there_before_anything_was_heard(self, harness: DeployedUsers) -> None:
        """A person is not answered 404 because an event is on its way; asking changes nothing."""
        person = harness.person()

        found = await own(person)

        assert (found.id, found.display_name) == (person.user, "")
        assert (await own(person), await harness.told()) == (found, [])

    async def test_profile_begins_with_the_registration(self, harness: DeployedUsers) -> None:
        """Name and language are those that were given at the sign-in."""
        event = registered("Ada Lovelace", locale="de-AT")
        await harness.tell(event)

        found = await own(harness.person(event.user_id))

        assert (found.display_name, found.locale) == ("Ada Lovelace", "de-AT")

    async def test_change_is_answered_kept_and_told_once(self, harness: DeployedUsers) -> None:
        """What is left out stays."""
        event = registered("Ada")
        await harness.tell(event)
        person = harness.person(event.user_id)

        answer = await person.call("PATCH", ME, {"locale": "fr-CA", "time_zone": "Asia/Taipei"}, expect=200)

        changed = OwnProfile(id=event.user_id, display_name="Ada", locale="fr-CA", time_zone="Asia/Taipei")
        assert msgspec.convert(answer, OwnProfile) == changed == await own(person)
        told = ProfileChanged(user_id=event.user_id, display_name="Ada", locale="fr-CA", time_zone="Asia/Taipei")
        assert await harness.told() == [told]

    async def test_change_is_of_ones_own_profile_alone(self, harness: DeployedUsers) -> None:
        """Nobody else's is other than before."""
        ada, bob = registered("Ada"), registered("Bob")
        await harness.tell(ada, bob)

        await harness.rename(ada.user_id, "Countess")

        assert (await own(harness.person(bob.user_id))).display_name == "Bob"

    async def test_wrong_change_is_refused(self, harness: DeployedUsers) -> None:
        """The answer names the field, and nothing has changed."""
        person = harness.person()
        before = await own(person)

        for field, value in WRONG:
            problem = await person.call("PATCH", ME, {"display_name": "Ada", field: value}, expect=422)
            assert [error["field"] for error in problem["errors"]] == [f"body.{field}"]

        assert (await own(person), await harness.told()) == (before, [])

    async def test_change_of_an_outdated_profile_is_refused(self, harness: DeployedUsers) -> None:
        """With `If-Match` nobody overwrites what they have not seen."""
        person = harness.person()
        async with person.get(ME) as answer:
            seen = {"If-Match": answer.headers["ETag"]}
        await person.call("PATCH", ME, {"display_name": "One"}, headers=seen)

        await person.call("PATCH", ME, {"display_name": "Two"}, expect=412, headers=seen)

        assert (await own(person)).display_name == "One"
        assert len(await harness.told()) == 1

    async def test_changes_at_once_are_kept_or_refused(self, harness: DeployedUsers) -> None:
        """No change that was answered is lost, and each of those is told."""
        person = harness.person()
        fields = {"display_name": "Ada", "locale": "fr", "time_zone": "Asia/Taipei"}

        async def change(name: str) -> tuple[str, int]:
            async with person.patch(ME, json={name: fields[name]}) as answer:
                return name, answer.status

        answers = await asyncio.gather(*(change(name) for name in fields))

        kept = [name for name, status in answers if status == 200]
        found = msgspec.to_builtins(await own(person))
        assert {status for _, status in answers} <= {200, 409}
        assert kept
        assert {name: found[name] for name in kept} == {name: fields[name] for name in kept}
        assert len(await harness.told()) == len(kept)

    async def test_strangers_have_no_profile(self, harness: DeployedUsers) -> None:
        """Sign in first."""
        stranger = harness.deployment.client()

        for method, body in (("GET", None), ("PATCH", {"display_name": "Ada"})):
            problem = await stranger.call(method, ME, body, expect=401)
            assert problem["type"] == "/problems/not-signed-in"

    async def test_everybody_may_read_of_those_who_teach(self, harness: DeployedUsers) -> None:
        """As long as they teach and their account is open; of anybody else there is nothing to read."""
        event = registered("Ada", "student")
        await harness.tell(event)
        stranger, path = harness.deployment.client(), f"{BASE}/{event.user_id}"
        await stranger.call("GET", path, expect=404)

        await harness.tell(RolesChanged(user_id=event.user_id, roles=("instructor", "student"), version=2))
        shown = await stranger.call("GET", path, expect=200)
        assert msgspec.convert(shown, Teacher) == Teacher(id=event.user_id, display_name="Ada")
        assert event.email not in str(shown)

        await harness.tell(UserDisabled(user_id=event.user_id, version=3))
        await stranger.call("GET", path, expect=404)
        await harness.tell(UserEnabled(user_id=event.user_id, version=4))
        await stranger.call("GET", path, expect=200)
        await stranger.call("GET", f"{BASE}/{new_id()}", expect=404)


async def own(person: Client) -> OwnProfile:
    """Return the profile of *person*."""
    return msgspec.convert(await person.call("GET", ME, expect=200), OwnProfile)
