"""HTTP: the directory, by which administrators find people."""

from __future__ import annotations

import itertools

import msgspec

from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled
from kernel.contracts.users_http import DirectoryEntry
from kernel.testing.contracts.users.deployed import BASE, DeployedUsers
from kernel.testing.contracts.users.harness import registered


class DirectoryContract:
    """What every provider answers about who there is."""

    async def test_directory_shows_what_was_heard(self, harness: DeployedUsers) -> None:
        """Name, address, roles, and whether the account is open."""
        ada, bob = registered("Ada", "instructor", "student"), registered("Bob")
        await harness.tell(ada, bob, UserDisabled(user_id=bob.user_id, version=2))

        assert await listed(harness) == [
            DirectoryEntry(
                id=ada.user_id,
                display_name="Ada",
                email="ada@example.org",
                roles=("instructor", "student"),
                active=True,
            ),
            DirectoryEntry(
                id=bob.user_id, display_name="Bob", email="bob@example.org", roles=("student",), active=False
            ),
        ]

    async def test_directory_is_searched_by_name_address_role_and_state(self, harness: DeployedUsers) -> None:
        """By how they begin, in any case; nothing in a search is a wildcard."""
        people = [registered("Ada", "instructor"), registered("adam", email="zoe@example.org"), registered("Bob")]
        await harness.tell(*people, UserDisabled(user_id=people[2].user_id, version=2))
        wanted = {
            "search=AD": ["Ada", "adam"],
            "search=Zoe@": ["adam"],
            "search=%25": [],
            "search=_": [],
            "role=instructor": ["Ada"],
            "active=false": ["Bob"],
            "active=true&search=ada&role=student": ["adam"],
        }

        found = {query: [entry.display_name for entry in await listed(harness, query)] for query in wanted}

        assert found == wanted

    async def test_directory_in_pages_holds_everybody_once(self, harness: DeployedUsers) -> None:
        """Also people of the same name; by name."""
        people = [registered("Ada", email=f"ada{number}@example.org") for number in range(4)]
        await harness.tell(*people, registered("Zoe"), registered("Bob"))
        found, cursor = [], ""
        while True:
            answer = await harness.administrator().call("GET", f"{BASE}?limit=2{cursor}")
            found += [item["display_name"] for item in answer["items"]]
            if answer["next"] is None:
                break
            cursor = f"&cursor={answer['next']}"

        assert found == ["Ada"] * 4 + ["Bob", "Zoe"]

    async def test_directory_does_not_depend_on_the_order_of_events(self, harness: DeployedUsers) -> None:
        """The versions of the account say what is true, however late an event comes."""
        for order in itertools.permutations(range(3)):
            ada = registered("Ada")
            events = (
                ada,
                RolesChanged(user_id=ada.user_id, roles=("admin", "student"), version=2),
                RolesChanged(user_id=ada.user_id, roles=("instructor",), version=3),
            )
            for number in order:
                await harness.tell(events[number])
            (entry,) = [one for one in await listed(harness) if one.id == ada.user_id]
            assert (entry.display_name, entry.roles) == ("Ada", ("instructor",)), order

    async def test_account_opened_again_before_its_closing_was_heard_is_open(self, harness: DeployedUsers) -> None:
        """Closing and opening carry versions too."""
        ada = registered("Ada")
        await harness.tell(ada)

        await harness.tell(UserEnabled(user_id=ada.user_id, version=3))
        await harness.tell(UserDisabled(user_id=ada.user_id, version=2))

        assert [entry.active for entry in await listed(harness)] == [True]

    async def test_directory_is_for_those_who_may_see_it(self, harness: DeployedUsers) -> None:
        """It holds addresses."""
        for role, status in ((None, 401), ("student", 403), ("instructor", 403), ("admin", 200)):
            await harness.deployment.client(role).call("GET", BASE, expect=status)


async def listed(harness: DeployedUsers, query: str = "") -> list[DirectoryEntry]:
    """Return what an administrator sees."""
    answer = await harness.administrator().call("GET", f"{BASE}?{query}", expect=200)
    return msgspec.convert(answer["items"], list[DirectoryEntry])
