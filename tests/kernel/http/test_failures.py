"""What goes wrong: every refusal and every defect is told as a problem."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from kernel import PUBLIC, Idempotency, Request, delete, errors, get, post, problems
from kernel.http.access import AccessLine
from tests.kernel.http.serving import MOUNT, serving


class TooDry(problems.Problem):
    """The fern needs water first."""

    type, status, title = "too-dry", 409, "The fern is too dry"


async def fine() -> str:
    return "fine"


async def dry() -> None:
    fields = [problems.FieldError("body.water", "is too little")]
    raise TooDry("Water it.", fields=fields, headers={"Retry-After": "60"}, extensions={"litres": 2})


async def broken() -> None:
    raise ZeroDivisionError("secret value 4711")


async def without_service() -> None:
    raise errors.CapabilityUnavailable("payments/1", "it failed")


async def without_database() -> None:
    raise errors.DatabaseUnavailable("connection lost to 10.0.0.7")


async def slow() -> None:
    await asyncio.sleep(30)


ROUTES = [
    get("", fine, permission=PUBLIC),
    post("", fine, permission=PUBLIC, idempotency=Idempotency.NONE),
    get("/dry", dry, permission=PUBLIC, problems=(TooDry,)),
    get("/broken", broken, permission=PUBLIC),
    get("/service", without_service, permission=PUBLIC),
    get("/database", without_database, permission=PUBLIC),
    get("/slow", slow, permission=PUBLIC, timeout=0.1),
]


async def problem(response: aiohttp.ClientResponse) -> dict[str, object]:
    """Return the problem document, which must be one."""
    assert response.content_type == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    found: dict[str, object] = await response.json(content_type=None)
    assert found["status"] == response.status
    assert found["instance"] == f"urn:uuid:{response.headers['X-Request-ID']}"
    return found


async def test_problem_tells_all_it_knows() -> None:
    """Detail, wrong fields, extensions and headers of a problem reach the caller."""
    async with serving(ROUTES) as client:
        response = await client.get(f"{MOUNT}/dry")

        found = await problem(response)
    assert (found["type"], found["title"], found["detail"]) == ("/problems/too-dry", "The fern is too dry", "Water it.")
    assert found["errors"] == [{"field": "body.water", "message": "is too little"}]
    assert (found["litres"], response.headers["Retry-After"]) == (2, "60")


async def test_defect_is_500_without_our_insides_and_logged_with_them() -> None:
    """The caller gets an id; the log gets the traceback under it."""
    with capture_logs() as logs:
        async with serving(ROUTES) as client:
            response = await client.get(f"{MOUNT}/broken")

            found, text = await problem(response), await response.text()
    assert (response.status, found["type"]) == (500, "/problems/internal")
    assert "4711" not in text
    (line,) = [line for line in logs if line["event"] == "request failed"]
    assert (line["plugin"], line["action"]) == ("notes", "internal-error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize("path", ["/service", "/database"])
async def test_what_is_not_there_now_is_503_with_retry_after(path: str) -> None:
    """A failed provider or a lost database is no defect of the request, and no detail of ours is told."""
    async with serving(ROUTES) as client:
        response = await client.get(MOUNT + path)

        assert (await problem(response))["type"] == "/problems/unavailable"
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "10.0.0.7" not in await response.text()


async def test_plugin_may_answer_for_its_own_exceptions() -> None:
    """`error_response` is asked about what is no problem, and its answer is sent."""

    def own(request: web.Request, error: Exception) -> web.StreamResponse | None:
        return web.Response(status=418, text="tea") if isinstance(error, ZeroDivisionError) else None

    async with serving(ROUTES, error_response=own) as client:
        assert (await client.get(f"{MOUNT}/broken")).status == 418
        assert (await client.get(f"{MOUNT}/database")).status == 503
        assert (await client.get(f"{MOUNT}/dry")).status == 409


async def test_plugin_that_fails_to_answer_does_not_make_it_worse() -> None:
    """An exception of `error_response` itself is logged, and the request is answered as without it."""

    def own(request: web.Request, error: Exception) -> web.StreamResponse | None:
        raise RuntimeError("worse")

    async with serving(ROUTES, error_response=own) as client:
        assert (await problem(await client.get(f"{MOUNT}/broken")))["type"] == "/problems/internal"


async def test_deadline_ends_a_slow_handler_with_504() -> None:
    """A handler that takes longer than its route allows is cancelled, and the next request is served."""
    async with serving(ROUTES) as client:
        assert (await problem(await client.get(f"{MOUNT}/slow")))["type"] == "/problems/timeout"
        assert (await client.get(MOUNT)).status == 200


async def test_deadline_that_did_not_strike_leaves_nothing_behind() -> None:
    """A handler that waits and ends in time is not disturbed."""

    async def brief() -> str:
        await asyncio.sleep(0.3)
        return "done"

    async with serving([get("", brief, permission=PUBLIC, timeout=20)]) as client:
        answers = await asyncio.gather(*(client.get(MOUNT) for _ in range(20)))

        assert {response.status for response in answers} == {200}


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/nowhere", f"{MOUNT}/", f"{MOUNT}/a/b", f"{MOUNT}//dry", "/api/v2"]
)
async def test_path_that_nobody_has_is_404(path: str) -> None:
    """An unknown path is told as a problem, inside the API and outside of it."""
    async with serving(ROUTES) as client:
        assert (await problem(await client.get(path)))["type"] == "/problems/not-found"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
async def test_method_that_a_path_has_not_is_405_and_names_those_it_has(method: str) -> None:
    """The header `Allow` says what would have worked."""
    async with serving(ROUTES) as client:
        response = await client.request(method, MOUNT)

        assert (await problem(response))["type"] == "/problems/method-not-allowed"
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


async def test_method_of_a_placeholder_is_not_lent_to_a_literal_path() -> None:
    """DELETE of `/{name}` does not make `DELETE /dry` a request for something called dry."""

    async def remove(name: str) -> None: ...

    route = delete("/{name}", remove, permission=PUBLIC, idempotency=Idempotency.NONE)
    async with serving([*ROUTES, route]) as client:
        assert (await client.get(f"{MOUNT}/broken")).status == 500
        assert (await client.delete(f"{MOUNT}/anything")).status == 204
        assert (await client.delete(f"{MOUNT}/dry")).status == 405


async def test_options_names_the_methods() -> None:
    """OPTIONS is answered without being declared."""
    async with serving(ROUTES) as client:
        response = await client.options(MOUNT)

        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_plugin_that_is_off_is_404_and_named() -> None:
    """Whoever calls a part that is switched off learns that it exists and which plugin it is."""
    async with serving(ROUTES, disabled={"chat": "acme-chat"}) as client:
        for path in ("/api/v1/chat", "/api/v1/chat/rooms/7"):
            for method in ("GET", "POST", "DELETE"):
                response = await client.request(method, path)
                found = await problem(response)
                assert (response.status, found["type"], found["plugin"]) == (
                    404,
                    "/problems/plugin-disabled",
                    "acme-chat",
                )


async def test_plugin_that_failed_is_503_in_all_of_its_mount() -> None:
    """A failed plugin costs its own routes and no others; the reason is for the log, not for callers."""
    async with serving(ROUTES, failed="no route to host 10.0.0.7") as client:
        response = await client.get(f"{MOUNT}/dry")

        assert ((await problem(response))["type"], response.status) == ("/problems/unavailable", 503)
        assert "10.0.0.7" not in await response.text()
        assert (await client.get("/api/v1/openapi.json")).status == 200


async def test_person_gets_a_page_and_a_program_a_problem() -> None:
    """Outside of the API, whoever prefers HTML gets the page that the site makes of the problem."""

    def page(request: web.Request, told: problems.Problem) -> web.StreamResponse:
        return web.Response(text=f"<h1>{told.title}</h1>", status=told.status, content_type="text/html")

    browser = {"Accept": "text/html,application/xhtml+xml"}
    async with serving(ROUTES, error_page=page) as client:
        shown = await client.get("/nowhere", headers=browser)
        assert (shown.status, shown.content_type) == (404, "text/html")
        await problem(await client.get("/nowhere"))
        await problem(await client.get("/api/v1/nowhere", headers=browser))


async def test_expectation_that_is_unknown_is_a_problem() -> None:
    """What aiohttp refuses before a handler runs is told as everything else."""
    async with serving(ROUTES) as client:
        response = await client.get(MOUNT, headers={"Expect": "the spanish inquisition"})

        assert (await problem(response))["status"] == 400


async def test_client_that_leaves_is_no_error() -> None:
    """A client that goes while its request runs leaves no traceback, and the work is finished."""
    finished = asyncio.Event()

    async def work(request: Request) -> str:
        await asyncio.sleep(0.3)
        finished.set()
        return "done"

    told: list[AccessLine] = []
    with capture_logs() as logs:
        async with serving([get("", work, permission=PUBLIC)], told=told) as client:
            with pytest.raises(TimeoutError):
                await client.get(MOUNT, timeout=aiohttp.ClientTimeout(total=0.05))
            await asyncio.wait_for(finished.wait(), 5)

    assert [line for line in logs if line["log_level"] == "error"] == []
    assert [line.status for line in told] == [200]
