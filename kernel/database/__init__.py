"""One database for each plugin: statements compiled once, run on bare connections."""

from kernel.database.api import Database, Executor, Session
from kernel.database.digests import Sha256
from kernel.database.flights import Flights
from kernel.database.gathering import Gathering, Waiter, refuse
from kernel.database.statements import Command, Follow, Guarded, Load, Lookup, Query, Returned
from kernel.database.tables import outbox_follow
from kernel.database.types import Json, Timestamp, new_metadata

__all__ = [
    "Command",
    "Database",
    "Executor",
    "Flights",
    "Follow",
    "Gathering",
    "Guarded",
    "Json",
    "Load",
    "Lookup",
    "Query",
    "Returned",
    "Session",
    "Sha256",
    "Timestamp",
    "Waiter",
    "new_metadata",
    "outbox_follow",
    "refuse",
]
