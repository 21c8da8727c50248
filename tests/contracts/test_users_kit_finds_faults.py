"""The kit of `users/1` says of each of these providers, which break one promise, that it is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import msgspec
import pytest

from kernel import problems
from kernel.contracts.auth import RolesChanged, UserRegistered
from kernel.contracts.users import Person
from kernel.contracts.users_http import DirectoryEntry, DirectoryQuery, OwnProfile, Teacher
from kernel.testing.contracts.users import DeployedUsers, UsersContract, UsersHttpContract, deploy_users
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.users import InMemoryUsers, InMemoryUsersPlugin
from tests.contracts.broken import assert_found

Test = Callable[[DeployedUsers], Awaitable[None]]
NAMES, HTTP = UsersContract(), UsersHttpContract()


class InventsPeople(InMemoryUsers):
    """Has a name for everybody."""

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        return {one: Person(id=one, display_name=self.own(one).display_name) for one in ids}


class ForgetsWhatPeopleTold(InMemoryUsers):
    """Believes the registration, whenever it comes."""

    def put(self, profile: OwnProfile) -> None:
        super().put(profile)
        self._of(profile.id).changed = False


class KnowsNobodyWithoutAnEvent(InMemoryUsers):
    """Has a profile only for those of whom it heard."""

    def own(self, person: UUID) -> OwnProfile:
        if person not in self._known:
            raise problems.NotFound
        return super().own(person)


class ChangesEverybody(InMemoryUsers):
    """Forgets whose profile it is."""

    def put(self, profile: OwnProfile) -> None:
        for person in self._known:
            super().put(msgspec.structs.replace(profile, id=person))
        super().put(profile)


class ShowsEverybody(InMemoryUsers):
    """Lets the world read about those who only learn."""

    def teacher(self, person: UUID) -> Teacher | None:
        return Teacher(id=person, display_name=self.own(person).display_name)


class BelievesTheLastEvent(InMemoryUsers):
    """Takes the event that comes last for the one that was told last."""

    def set_roles(self, event: UserRegistered | RolesChanged) -> None:
        self._of(event.user_id).versions = (-1, -1)
        super().set_roles(event)


class SearchesAnywhere(InMemoryUsers):
    """Takes a search for nothing."""

    def directory(self, query: DirectoryQuery) -> list[DirectoryEntry]:
        return super().directory(msgspec.structs.replace(query, search=None))


FAULTS: dict[type[InMemoryUsers], Test] = {
    InventsPeople: NAMES.test_people_are_known_by_the_name_they_registered_with,
    ForgetsWhatPeopleTold: NAMES.test_registration_heard_late_takes_no_name_back,
    KnowsNobodyWithoutAnEvent: HTTP.test_profile_is_there_before_anything_was_heard,
    ChangesEverybody: HTTP.test_change_is_of_ones_own_profile_alone,
    ShowsEverybody: HTTP.test_everybody_may_read_of_those_who_teach,
    BelievesTheLastEvent: HTTP.test_directory_does_not_depend_on_the_order_of_events,
    SearchesAnywhere: HTTP.test_directory_is_searched_by_name_address_role_and_state,
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("provider", "test"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_provider_that_breaks_a_promise(
    deploy: Deploy, provider: type[InMemoryUsers], test: Test
) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""

    class Broken(InMemoryUsersPlugin):
        kind = provider

    whole = await deploy_users(deploy, plugins=[InMemoryUsersPlugin])

    await assert_found(test, whole=whole, broken=await deploy_users(deploy, plugins=[Broken]))
