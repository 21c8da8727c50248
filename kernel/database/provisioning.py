"""A plugin's schema and role on PostgreSQL, made by a deployment user that is no superuser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from kernel import errors
from kernel.database.location import Location
from kernel.database.postgres import connect

_ATTEMPTS: Final = 5
_LOCK_SPACE: Final = 0x4C796365  # "Lyce": keeps our advisory locks apart from those of others

# Whether the deployment's user may become the role $1; no row when there is no such role.
_MAY_BECOME: Final = "SELECT pg_has_role(current_user, oid, $2) FROM pg_roles WHERE rolname = $1"


@contextlib.asynccontextmanager
async def provisioned(location: Location) -> AsyncIterator[None]:
    """Make the schema and the role if need be, and keep other processes from migrating the plugin meanwhile.

    Raises:
        errors.MigrationFailed: the deployment's user may not do it; the message says what it lacks.
        errors.DatabaseUnavailable: the server can not be reached.
    """
    connection = await connect(location, role=False, limits={})
    try:
        # The lock belongs to the connection: it is free again when this process dies.
        await connection.execute("SELECT pg_advisory_lock($1, hashtext($2))", _LOCK_SPACE, location.plugin)
        await _provide(connection, location)
        yield
    finally:
        await connection.close()


async def _provide(connection: asyncpg.Connection, location: Location) -> None:
    try:
        await _provide_role(connection, location)
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{location.schema}" AUTHORIZATION "{location.schema}"')
    except asyncpg.InsufficientPrivilegeError as error:
        remedy = "the deployment's user needs CREATEROLE, and CREATE on the database"
        raise errors.MigrationFailed(
            f"can not make the schema {location.schema} at {location.shown}: {error}; {remedy}", plugin=location.plugin
        ) from error


async def _provide_role(connection: asyncpg.Connection, location: Location) -> None:
    role = location.schema
    # Since PostgreSQL 16 being a member is not enough to become the role.
    option = "SET" if connection.get_server_version() >= (16, 0) else "MEMBER"
    for _ in range(_ATTEMPTS):
        may_become = await connection.fetchval(_MAY_BECOME, role, option)
        if may_become:
            return
        # Roles belong to all databases of the server, which our lock does not span: another process may be faster.
        with contextlib.suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            async with connection.transaction():
                if may_become is None:
                    await connection.execute(f'CREATE ROLE "{role}" NOLOGIN')
                await connection.execute(f'GRANT "{role}" TO CURRENT_USER')
    raise errors.MigrationFailed(f"can not become the role {role} at {location.shown}", plugin=location.plugin)
