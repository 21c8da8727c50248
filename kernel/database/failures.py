"""What drivers raise, told in our own words. What is none of a driver's errors passes unchanged."""

from __future__ import annotations

import sqlite3
from typing import Final

import asyncpg

from kernel import errors

#: The first line that fits tells what an error of asyncpg means.
_POSTGRES: Final[tuple[tuple[type[Exception], type[errors.DatabaseError]], ...]] = (
    (asyncpg.IntegrityConstraintViolationError, errors.ConstraintViolation),
    (asyncpg.SerializationError, errors.TransactionConflict),
    (asyncpg.DeadlockDetectedError, errors.TransactionConflict),
    (asyncpg.DataError, errors.InvalidValue),
    (OSError, errors.DatabaseUnavailable),  # TimeoutError is one, too
    (asyncpg.PostgresConnectionError, errors.DatabaseUnavailable),
    (asyncpg.OperatorInterventionError, errors.DatabaseUnavailable),  # shutdown, or the statement took too long
    (asyncpg.LockNotAvailableError, errors.DatabaseUnavailable),
    (asyncpg.InsufficientResourcesError, errors.DatabaseUnavailable),
    (asyncpg.InternalClientError, errors.DatabaseUnavailable),
    (asyncpg.PostgresError, errors.DatabaseError),
    (asyncpg.InterfaceError, errors.DatabaseError),
)

_SQLITE_UNIQUE: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)
_SQLITE: Final[tuple[tuple[type[Exception], type[errors.DatabaseError]], ...]] = (
    (sqlite3.IntegrityError, errors.ConstraintViolation),
    (sqlite3.DataError, errors.InvalidValue),
    (OverflowError, errors.InvalidValue),
    (UnicodeEncodeError, errors.InvalidValue),
    (sqlite3.Error, errors.DatabaseError),
)


def postgres_failure(plugin: str, error: Exception, *, lost: bool) -> Exception:
    """Return what to raise instead of *error* of asyncpg; *lost*: the connection is gone."""
    if lost:
        return errors.DatabaseUnavailable(f"{plugin}: the connection was lost: {error}")
    if isinstance(error, asyncpg.UniqueViolationError):
        return errors.UniqueViolation(str(error.constraint_name))
    return _translated(_POSTGRES, plugin, error)


def sqlite_failure(plugin: str, error: Exception) -> Exception:
    """Return what to raise instead of *error* of sqlite3."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _SQLITE_UNIQUE:
        return errors.UniqueViolation(str(error).removeprefix("UNIQUE constraint failed: "))
    # SQLITE_ERROR is a wrong statement; every other operational error is a file that is locked, full or broken.
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return errors.DatabaseUnavailable(f"{plugin}: {error}")
    return _translated(_SQLITE, plugin, error)


def is_lost(connection: asyncpg.Connection, error: Exception) -> bool:
    """Return whether *connection* is of no more use after *error*."""
    return bool(
        connection.is_closed()
        or isinstance(error, (OSError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError))
        or getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    )


def _translated(
    table: tuple[tuple[type[Exception], type[errors.DatabaseError]], ...], plugin: str, error: Exception
) -> Exception:
    for foreign, ours in table:
        if isinstance(error, foreign):
            return ours(f"{plugin}: {error}")
    return error
