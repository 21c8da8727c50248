"""The description of the API, for programs and for people, and that the API does what it says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

from kernel.database.migrations import Target, upgrade
from kernel.database.opening import DatabaseSettings, open_database
from kernel.http import problems
from kernel.http.application import Mounted, describe
from kernel.http.settings import HttpSettings
from tests.kernel.http import garden
from tests.kernel.http.serving import DEPLOYMENT, MOUNT, bearing, serving, unused_database

DOCUMENT = describe(
    [Mounted(plugin="notes", mount="notes", routes=tuple(garden.ROUTES), db=unused_database())], DEPLOYMENT
)


def operation(method: str, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][MOUNT + path][method]
    return found


def test_description_is_valid_openapi() -> None:
    """It passes the validator for OpenAPI 3.1."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_description_has_every_route_and_no_other() -> None:
    """Exactly the routes that are on are described."""
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert described == {(route.method, MOUNT + route.path) for route in garden.ROUTES}


def test_description_of_a_list_has_its_parameters() -> None:
    """Filters, limit and cursor are parameters; what may be left out is not null but absent."""
    parameters = {one["name"]: one for one in operation("get")["parameters"]}

    assert parameters.keys() == {"limit", "cursor", "word", "light", "tag", "least"}
    assert parameters["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 20,
        "format": "int64",
    }
    assert "anyOf" not in parameters["word"]["schema"]
    assert parameters["tag"]["schema"]["type"] == "array"


def test_description_of_a_change_has_body_key_and_problems() -> None:
    """What a caller must send, and everything that may be answered."""
    change = operation("patch", "/{plant_id}")

    assert change["requestBody"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Place"}}}
    (key,) = [one for one in change["parameters"] if one["in"] == "header"]
    assert (key["name"], key["required"]) == ("Idempotency-Key", True)
    assert change["x-permission"] == "plants.add"
    assert {"200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500"} <= change["responses"].keys()


def test_description_names_the_problems_of_the_plugin() -> None:
    """A contract's own problems stand beside the kernel's."""
    assert "The plant is dry (`dry`)" in operation("post")["responses"]["409"]["description"]


def test_description_of_rendered_results_has_their_type() -> None:
    """What passes as bytes is described as what it is."""
    whole = operation("get", "/{plant_id}")["responses"]["200"]["content"]["application/json"]["schema"]
    cards = operation("get", "/cards")["responses"]["200"]["content"]["application/json"]["schema"]

    assert whole == {"$ref": "#/components/schemas/Plant"}
    page = DOCUMENT["components"]["schemas"][cards["$ref"].rpartition("/")[2]]
    assert page["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Plant"}


async def test_description_is_served() -> None:
    """Programs read it where it is announced, and not again while they have it."""
    async with serving(garden.ROUTES) as client:
        response = await client.get("/api/v1/openapi.json")

        assert await response.json() == DOCUMENT
        again = await client.get("/api/v1/openapi.json", headers={"If-None-Match": response.headers["ETag"]})
        assert again.status == 304


async def test_problems_page_has_every_type() -> None:
    """The link of each problem leads to its explanation, contracts' own included."""
    kinds: list[type[problems.Problem]] = [*problems.Problem.__subclasses__(), garden.Dry]
    async with serving(garden.ROUTES) as client:
        text = await (await client.get("/problems")).text()
        for kind in kinds:
            if kind.__module__ in (problems.__name__, garden.__name__):
                assert f'id="{kind.type}"' in text
                response = await client.get(f"/problems/{kind.type}", allow_redirects=False)
                assert (response.status, response.headers["Location"]) == (303, f"/problems#{kind.type}")
        assert (await client.get("/problems/nonsense")).status == 404


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The garden on a real port, in a thread of its own."""
    ready: list[str] = []
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve(folder: Path) -> None:
        database = DatabaseSettings(url=f"sqlite:///{folder}")
        await upgrade([Target(plugin="notes", settings=database)])
        db = open_database("notes", database)
        async with serving(garden.ROUTES, db=db, settings=HttpSettings(unsafe_rate="1000000/second")) as client:
            ready.append(str((await client.get("/problems")).url.origin()))
            started.set()
            await stop.wait()
        await db.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(tmp_path_factory.mktemp("garden")),))
    thread.start()
    started.wait(20)
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.parametrize()
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_api_does_what_its_description_says(case: schemathesis.Case[Any], served: str) -> None:
    """Whatever is sent, right or wrong, gets an answer that the description has; nothing is a 500."""
    case.query.pop("cursor", None)  # any text fits its description, only one that a list made is taken
    case.call_and_validate(base_url=served, headers=bearing("plants.add", "plants.export"))
