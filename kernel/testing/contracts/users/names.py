"""The service: people's names, many at once."""

from __future__ import annotations

from kernel import new_id
from kernel.contracts.users import Person
from kernel.testing.contracts.users.harness import UsersHarness, registered


class NamesContract:
    """What every provider knows of people by their ids."""

    async def test_people_are_known_by_the_name_they_registered_with(self, harness: UsersHarness) -> None:
        """Each of them once, however often one is asked for; who is not known is left out."""
        ada, bob = registered("Ada"), registered("Bob")
        await harness.tell(ada, bob)

        found = await harness.users.people([ada.user_id, bob.user_id, ada.user_id, new_id()])

        assert found == {
            ada.user_id: Person(id=ada.user_id, display_name="Ada"),
            bob.user_id: Person(id=bob.user_id, display_name="Bob"),
        }

    async def test_nobody_is_asked_for(self, harness: UsersHarness) -> None:
        """An empty question has an empty answer."""
        await harness.tell(registered("Ada"))

        assert await harness.users.people([]) == {}

    async def test_name_is_the_one_that_the_person_gave_last(self, harness: UsersHarness) -> None:
        """As soon as the change was answered."""
        ada = registered("Ada")
        await harness.tell(ada)

        for name in ("Countess", "Ada Lovelace"):
            await harness.rename(ada.user_id, name)
            assert (await harness.users.people([ada.user_id]))[ada.user_id].display_name == name

    async def test_registration_heard_late_takes_no_name_back(self, harness: UsersHarness) -> None:
        """Whoever was quicker than the event keeps what they told, also when the event is told again."""
        person = new_id()
        await harness.rename(person, "Countess")

        for _ in range(2):
            await harness.tell(registered("Ada", user_id=person))
            assert (await harness.users.people([person]))[person].display_name == "Countess"
