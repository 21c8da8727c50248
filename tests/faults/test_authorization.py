"""What is not one's own, and what one may not say (A16, A17), for every route that there is.

Who may call what (A15) is in `tests/test_route_matrix.py`, and that no learner reaches vouchers (A18) follows from it.
A route with an id that `OBJECTS` or `BODIES` does not know fails here, so that none is forgotten.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel import front, new_id
from kernel.discovery import Catalogue
from kernel.http.limits import Limiter, Standing
from kernel.http.signatures import read_signature
from kernel.lifecycle import Platform
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.courses.school import School, lessons, without_request
from tests.plugins.enrollments.shop import buy, new_key
from tests.test_route_matrix import MATRIX, routes_of

JSON = dict[str, Any]
_PLACEHOLDER: Final = re.compile(r"{([^}]*)}")
SECTIONS: Final = {"http": {"unsafe_rate": "1000000/minute"}}

#: Placeholders of public objects: there is nothing to be hidden.
PUBLIC: Final = frozenset(
    {
        "GET /api/v1/users/{user_id}",
        "GET /instructors/{person}",
        "GET /api/v1/notifications/following/{topic}",
        "PUT /api/v1/notifications/following/{topic}",
        "DELETE /api/v1/notifications/following/{topic}",
        "PUT /api/v1/notifications/preferences/{kind}/{channel}",
        "DELETE /api/v1/notifications/preferences/{kind}/{channel}",
        "GET /api/v1/notifications/unsubscribe/{token}",
        "POST /api/v1/notifications/unsubscribe/{token}",
        "GET /notifications/unsubscribe/{token}",
    }
)
#: Of two routes that end the same object the one that its owner does not call here.
OTHER_ENDS: Final = frozenset(
    {
        "POST /api/v1/chat/rooms/{room_id}/held/{held_id}/refuse",
        "POST /api/v1/chat/rooms/{room_id}/messages/{offset}/remove",
    }
)
#: What a request to a route of a person's own object has to hold to be right.
BODIES: Final[Mapping[str, JSON]] = {
    "POST /api/v1/chat/rooms/{room_id}/held/{held_id}/refuse": {},
    "PUT /api/v1/chat/rooms/{room_id}/members/{user_id}": {},
    "POST /api/v1/chat/rooms/{room_id}/messages": {"client_id": "1", "text": "Mine"},
    "PATCH /api/v1/chat/rooms/{room_id}/messages/{offset}": {"text": "Mine now"},
    "POST /api/v1/chat/rooms/{room_id}/messages/{offset}/remove": {},
    "POST /api/v1/chat/rooms/{room_id}/messages/{offset}/reports": {},
    "PUT /api/v1/chat/rooms/{room_id}/read-mark": {"offset": 1},
    "POST /api/v1/chat/rooms/{room_id}/reports/{report_id}/settle": {},
    "PUT /api/v1/chat/rooms/{room_id}/rules": {"slow_mode": 1},
    "PATCH /api/v1/courses/{course_id}": {"title": "Mine now"},
    "POST /api/v1/courses/{course_id}/instructors": {"user_id": "{other}"},
    "PATCH /api/v1/courses/{course_id}/lessons/{lesson_id}": {"title": "Mine now"},
    "PUT /api/v1/courses/{course_id}/order": {"section_ids": ["{section_id}"]},
    "POST /api/v1/courses/{course_id}/sections": {"title": "Mine"},
    "PATCH /api/v1/courses/{course_id}/sections/{section_id}": {"title": "Mine now"},
    "POST /api/v1/courses/{course_id}/sections/{section_id}/lessons": {"title": "Mine", "kind": "article"},
    "PUT /api/v1/courses/{course_id}/sections/{section_id}/order": {"lesson_ids": ["{first}", "{second}"]},
}
#: Fields by which people would like to have more than they may.
GREEDY: Final[JSON] = {
    "id": str(new_id()),
    "role": "admin",
    "roles": ["admin"],
    "balance": 10**6,
    "price": 0,
    "amount": 1,
    "instructor_id": str(new_id()),
    "user_id": str(new_id()),
    "published": True,
    "status": "published",
    "state": "active",
    "source": "staff",
}


@dataclass(frozen=True)
class Owned:
    """Who owns the objects of a place in the API, and their ids by the names of its placeholders."""

    owner: Client
    ids: JSON


async def test_others_objects_answer_as_absent_ones_on_every_route(deploy: Deploy) -> None:
    """A16: for each id in a path that others than administrators may name, and for its owner it is there."""
    deployment = await deploy(*Catalogue.read().bundled(), sections=SECTIONS)
    objects = await furnish(deployment)
    stranger = await deployment.sign_in("eve@school.test", roles=("instructor", "student"))
    routes = [route for route in sorted(set(routes_of(deployment.platform))) if is_personal(route)]
    unknown = [route for route in routes if mount_of(route) not in objects]

    assert unknown == [], "say in `furnish` whose the objects of these routes are, or that they are `PUBLIC`"
    for route in routes:
        owned = objects[mount_of(route)]
        others = await call(stranger, route, owned.ids)
        absent = await call(stranger, route, {name: nowhere(name) for name in owned.ids})
        assert (route, others) == (route, absent)
        assert 400 <= others[0] < 500
    for route in sorted(set(routes) - OTHER_ENDS, key=gentlest_first):
        status, document = await call(objects[mount_of(route)].owner, route, objects[mount_of(route)].ids)
        wrong = [error for error in document.get("errors", ()) if error["field"].startswith("body")]
        assert status not in (401, 403, 404), f"{route} does not find its owner's object: {document}"
        assert wrong == [], f"{route}: mend its body in `BODIES`"


async def test_fields_that_nobody_asked_for_are_refused_by_every_write(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A17: the body of each route takes what it knows and nothing beside, and the databases stay as they were."""
    deployment = await deploy(*Catalogue.read().bundled(), sections=SECTIONS)
    admin = await deployment.sign_in("admin@school.test", roles=("admin", "instructor", "student"))
    await deployment.settle()
    monkeypatch.setattr(Limiter, "hit", allow)  # what is limited is refused before its body is read
    before, found = await contents_at_rest(deployment), {}

    for route, fields in writes_of(deployment.platform):
        path = _PLACEHOLDER.sub(lambda found: nowhere(found[1]), route.partition(" ")[2])
        for field in GREEDY.keys() - fields:
            body, headers = {field: GREEDY[field]}, new_key()
            async with admin.request(route.partition(" ")[0], path, json=body, headers=headers) as answer:
                document = await answer.json(content_type=None)
                named = [error["field"] for error in document.get("errors", ())]
            if (answer.status, named) != (422, [f"body.{field}"]):
                found[f"{route} {field}"] = (answer.status, document)

    assert found == {}
    assert await contents(deployment) == before


@pytest.mark.sqlite_only
async def test_voucher_is_shown_once_to_who_made_it_and_to_no_learner(deploy: Deploy) -> None:
    """A18: a code is shown once, to who made it; its digest alone is kept, and no list shows it again."""
    deployment = await deploy("auth", "mail", "courses", "payments")
    admin = await deployment.sign_in("admin@school.test", roles=("admin",))
    path = "/api/v1/payments/voucher-batches"

    made = await admin.call("POST", path, {"count": 1, "amount": 100}, expect=201, headers=new_key())
    shown = [await admin.call("GET", path), await admin.call("GET", f"{path}/{made['batch']['id']}")]

    assert made["codes"][0] not in str(shown)
    assert made["codes"][0] not in str(await contents(deployment))
    for role in ("student", "instructor"):
        other = await deployment.sign_in(f"{role}@school.test", roles=(role,))
        for route in [route for route in MATRIX if "voucher-batches" in route]:
            assert (route, (await call(other, route, {"batch_id": made["batch"]["id"]}))[0]) == (route, 403)


async def allow(limiter: Limiter, item: object, key: str) -> Standing:
    """Count nothing."""
    return Standing(allowed=True, remaining=1, reset=1)


def nowhere(placeholder: str) -> str:
    """Return what stands for no object in the place of *placeholder*."""
    return {"offset": "999", "emoji": "\N{THUMBS UP SIGN}"}.get(placeholder) or str(new_id())


def is_personal(route: str) -> bool:
    """Return whether *route* names an object, and others than administrators may call it."""
    return "{" in route and route not in PUBLIC and MATRIX[route][1:3] != ["403", "403"]


def gentlest_first(route: str) -> tuple[int, int]:
    """Return a key that sorts what changes an object behind what only wants it as it is, and its end last."""
    return ("GET", "PUT", "PATCH", "POST", "DELETE").index(route.partition(" ")[0]), -len(route)


def mount_of(route: str) -> str:
    """Return the part of the API in which *route* lies, and what its path begins with."""
    return ".".join(route.partition(" ")[2].removeprefix("/api/v1/").split("/{")[0].split("/")[:2])


async def furnish(deployment: Deployment) -> dict[str, Owned]:
    """Make an object of each kind that belongs to somebody; return them by the `mount_of` their routes."""
    teacher = await deployment.sign_in("ada@school.test", roles=("instructor", "student"))
    other = await deployment.sign_in("bob@school.test", roles=("instructor",))
    admin = await deployment.people.administrator()
    school = School(deployment, teacher, admin)
    draft, sold = await school.draft(), await school.published(price=0)
    bought = await buy(teacher, sold["id"])
    talk = await room(deployment, teacher, sold["id"])
    first, second = lessons(draft)
    course = {
        "course_id": draft["id"],
        "section_id": draft["sections"][0]["id"],
        "lesson_id": second["id"],
        "user_id": str(other.user),
        "first": first["id"],
        "second": second["id"],
        "other": str(other.user),
    }
    deployment.clock.advance(61)
    await deployment.sign_in("ada@school.test")  # another session, for the first is still to be used
    sessions = (await teacher.call("GET", "/api/v1/auth/sessions"))["items"]
    session = next(one["id"] for one in sessions if not one["current"])
    return {
        "chat.courses": Owned(teacher, {"course_id": draft["id"]}),
        "chat.rooms": Owned(teacher, talk),
        ".chat": Owned(teacher, {"course_id": draft["id"], "room_id": talk["room_id"]}),
        "auth.sessions": Owned(teacher, {"session_id": session}),
        "courses": Owned(teacher, course),
        "enrollments.courses": Owned(teacher, {"course_id": draft["id"]}),
        "enrollments.purchases": Owned(teacher, {"purchase_id": bought["purchase_id"]}),
        "notifications": Owned(teacher, {"notice_id": await notice(teacher)}),
        "notifications.people": Owned(admin, {"user_id": str(teacher.user)}),
        "privacy.erasures": Owned(admin, {"erasure_id": await erasure(deployment)}),
        "privacy.exports": Owned(teacher, {"export_id": await export(teacher)}),
    }


async def room(deployment: Deployment, teacher: Client, course: str) -> JSON:
    """Return the ids of what is in the room of the teacher's *course*."""
    student = await deployment.sign_in("cyd@school.test", roles=("student",))
    await buy(student, UUID(course))
    await deployment.settle()
    made = await teacher.call("POST", f"/api/v1/chat/courses/{course}/room")
    path = f"/api/v1/chat/rooms/{made['id']}"
    said = await teacher.call("POST", f"{path}/messages", {"client_id": "0", "text": "Hello"}, expect=201)
    await student.call("POST", f"{path}/messages/{said['offset']}/reports", {})
    await teacher.call("PUT", f"{path}/rules", {"approval": True})
    await student.call("POST", f"{path}/messages", {"client_id": "0", "text": "May I?"})
    return {
        "room_id": made["id"],
        "offset": str(said["offset"]),
        "emoji": "\N{THUMBS UP SIGN}",
        "user_id": str(student.user),
        "held_id": (await teacher.call("GET", f"{path}/held"))["items"][0]["id"],
        "report_id": (await teacher.call("GET", f"{path}/reports"))["items"][0]["id"],
    }


async def notice(client: Client) -> str:
    """Return the id of the first notice that the person gets."""
    async with asyncio.timeout(20):
        while not (found := (await client.call("GET", "/api/v1/notifications"))["items"]):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.1)
    return str(found[-1]["id"])


async def erasure(deployment: Deployment) -> str:
    """Return the id of the erasure of somebody, which administrators see."""
    client = await deployment.sign_in("gone@school.test")
    asked = await client.call("POST", "/api/v1/privacy/erasures", {"confirm": "gone@school.test"}, expect=202)
    return str(asked["id"])


async def export(client: Client) -> str:
    """Return the id of a copy of what is kept of the person, once it is ready."""
    asked = await client.call("POST", "/api/v1/privacy/exports", expect=202)
    async with asyncio.timeout(20):
        while (await client.call("GET", f"/api/v1/privacy/exports/{asked['id']}"))["state"] != "ready":  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.1)
    return str(asked["id"])


async def call(client: Client, route: str, ids: JSON) -> tuple[int, JSON]:
    """Call *route* with *ids* in its path and its body; return status and document without what differs each time."""
    method, _, path = route.partition(" ")
    options: JSON = {"json": filled(BODIES[route], ids)} if route in BODIES else {}
    async with client.request(
        method, _PLACEHOLDER.sub(lambda found: ids[found[1]], path), headers=new_key(), **options
    ) as answer:
        document: JSON = await answer.json(content_type=None) if "json" in answer.content_type else {}
        return answer.status, without_request(document)


def filled(value: Any, ids: JSON) -> Any:
    """Return *value* with the ids for their names."""
    if isinstance(value, dict):
        return {name: filled(member, ids) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(member, ids) for member in value]
    return ids[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value


def writes_of(platform: Platform) -> Iterator[tuple[str, set[str]]]:
    """Yield every route that takes a body, and the fields that it knows."""
    for plugin in front.mounted(platform):
        for route in plugin.routes:
            body = read_signature(plugin.plugin, route).body
            if body is not None:
                yield f"{route.method} /api/v1/{plugin.mount}{route.path}", set(body.__struct_encode_fields__)


async def contents_at_rest(deployment: Deployment) -> dict[str, list[str]]:
    """Return `contents` once it stays the same: plugins write things down when they start."""
    earlier: dict[str, list[str]] = {}
    async with asyncio.timeout(20):
        while (found := await contents(deployment)) != earlier:
            earlier = found
            await asyncio.sleep(0.5)
    return found


async def contents(deployment: Deployment) -> dict[str, list[str]]:
    """Return every row of every table that is a plugin's own."""
    found = {}
    for plugin in deployment.platform.states():
        if plugin.running is not None:
            async with plugin.running.database.engine().connect() as connection:
                tables = plugin.migrations.metadata.tables if plugin.migrations else {}
                for table in tables:
                    rows = await connection.execute(sa.text(f'SELECT * FROM "{table}"'))
                    found[f"{plugin.name}.{table}"] = sorted(str(tuple(row)) for row in rows)
    return found
