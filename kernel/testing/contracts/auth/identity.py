"""The identity behind a request: who it is, and what they may."""

from __future__ import annotations

from kernel.testing.contracts.auth.deployed import DECLARED, WHO, DeployedAuth, user_of


class IdentityContract:
    """What every provider says of whoever asks."""

    async def test_person_is_who_signed_in(self, harness: DeployedAuth) -> None:
        """With the roles of the account; two sessions of one person are two."""
        first, second = await harness.sign_in("ada@example.org"), await harness.sign_in("ada@example.org")
        bob = await harness.sign_in("bob@example.org")

        seen, again, other = await harness.who(first), await harness.who(second), await harness.who(bob)

        account = await harness.auth.account(user_of(first))
        assert account is not None
        assert (seen.id, tuple(seen.roles)) == (account.id, account.roles) == (again.id, tuple(again.roles))
        assert other.id == bob.user != seen.id
        assert len({seen.session, again.session, other.session}) == 3

    async def test_roles_allow_what_plugins_declare(self, harness: DeployedAuth) -> None:
        """Nothing else, and nobody else."""
        administrator, person = await harness.administrator(), await harness.sign_in("ada@example.org")

        assert DECLARED in (await harness.who(administrator)).permissions
        assert DECLARED not in (await harness.who(person)).permissions
        assert await harness.may_rule(administrator, True)
        assert await harness.may_rule(person, False)

    async def test_stranger_is_nobody(self, harness: DeployedAuth) -> None:
        """Whoever bears nothing is a stranger, and may what strangers may."""
        problem = await harness.deployment.client().call("GET", WHO, expect=401)

        assert problem["type"] == "/problems/not-signed-in"

    async def test_credential_that_is_none_is_refused(self, harness: DeployedAuth) -> None:
        """Whatever it is, the answer is the same, and never a failure of the server."""
        await harness.administrator()
        wrong = (
            "Bearer",
            "Bearer ",
            "Bearer nonsense",
            "Bearer a.b.c",
            "Basic YTpi",
            "Bearer " + "x" * 4000,
            "Token x",
        )

        for header in wrong:
            client = harness.deployment.client()
            problem = await client.call("GET", WHO, expect=401, headers={"Authorization": header})
            assert problem["type"] == "/problems/not-signed-in", header
