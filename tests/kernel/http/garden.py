"""A plugin that uses everything a route can have: for the tests of its description."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Idempotency,
    Page,
    PageQuery,
    RateLimit,
    Request,
    Route,
    delete,
    get,
    page,
    patch,
    post,
    problems,
    put,
)
from kernel.database import Session
from kernel.http.answers import Answer, Encoded, Renders

MANY = (RateLimit("1000000/second"),)


class Light(enum.Enum):
    SUN = "sun"
    SHADE = "shade"


class Place(msgspec.Struct, forbid_unknown_fields=True):
    """Where a plant stands."""

    light: Light
    depth: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    notes: list[str] = []


class Plant(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    place: Place
    kind: Literal["fern", "moss"] = "fern"
    height: float | None = None
    number: int = 0
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    parent: UUID | None = None
    offspring: dict[str, Place] = {}


class Search(PageQuery, frozen=True):
    word: str | None = None
    light: Light | None = None
    tag: tuple[str, ...] = ()
    least: Annotated[int, msgspec.Meta(ge=0)] = 0


class Dry(problems.Problem):
    """The plant needs water first."""

    type, status, title = "dry", 409, "The plant is dry"


PLANT = Plant("Adiantum", Place(Light.SHADE), since=datetime(2026, 1, 1, tzinfo=UTC))


async def find(query: Search) -> Page[Plant]:
    """Find plants."""
    query.after(str)
    return page([PLANT], query, lambda plant: plant.name)


async def cards(query: PageQuery) -> Page[Annotated[msgspec.Raw, Renders(Plant)]]:
    """Read the cards of all plants."""
    return page([msgspec.Raw(msgspec.json.encode(PLANT))], query, lambda _: None)


async def add(request: Request, body: Plant) -> Answer[Plant]:
    """Plant something."""
    return Answer(body, headers={"Location": "/elsewhere"})


async def show(plant_id: UUID) -> Encoded[Plant]:
    """Look at a plant."""
    return Encoded(msgspec.json.encode(PLANT))


async def move(plant_id: UUID, body: Place) -> Place:
    """Move a plant."""
    return body


async def replace(plant_id: UUID, number: int, body: list[Place]) -> list[Place]:
    """Replace its neighbours."""
    return body


async def water(plant_id: UUID, session: Session) -> None:
    """Water a plant."""


async def export() -> web.Response:
    """Download everything."""
    return web.Response(text="a,b\n", content_type="text/csv")


async def by_name(name: str) -> str:
    """Find a plant by its name."""
    return name


ROUTES: list[Route] = [
    get("", find, permission=PUBLIC),
    post("", add, permission="plants.add", status=201, idempotency=Idempotency.NONE, problems=(Dry,)),
    get("/cards", cards, permission=SIGNED_IN, rate_limits=MANY),
    get("/export", export, permission="plants.export"),
    get("/names/{name}", by_name, permission=PUBLIC),
    get("/{plant_id}", show, permission=PUBLIC),
    patch("/{plant_id}", move, permission="plants.add", idempotency=Idempotency.HANDLER),
    put("/{plant_id}/neighbours/{number}", replace, permission=SIGNED_IN, idempotency=Idempotency.NONE),
    delete("/{plant_id}/water", water, permission=SIGNED_IN),
]
