"""Templates: found in the plugins' folders, compiled at boot, rendered with what every page shows."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import aiohttp_jinja2
import jinja2
import structlog
from aiohttp import web
from markupsafe import Markup

from kernel import errors
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.deployment import Deployment
from kernel.http.callers import permits
from kernel.http.principal import Principal
from kernel.web.assets import Assets
from kernel.web.declarations import Page, Slot, Templates
from kernel.web.headers import secure
from kernel.web.parts import KERNEL, Part, declared, navigation

_RIGHT_TO_LEFT: Final = frozenset({"ar", "dv", "fa", "he", "ps", "ur", "yi"})

log: Final = structlog.get_logger(plugin=KERNEL)


class Renderer:
    """Renders the templates of *parts*, those of a later plugin before those of an earlier one.

    Raises:
        errors.InvalidDeclaration: a template is broken or missing.
    """

    def __init__(self, parts: Sequence[Part], assets: Assets, deployment: Deployment, containment: Containment) -> None:
        self._containment = containment
        self._https = deployment.public_url.startswith("https:")
        self._navigation = navigation(parts)
        self._slots: dict[str, list[tuple[str, str]]] = {}
        for plugin, slot in declared(parts, Slot):
            self._slots.setdefault(slot.name, []).append((plugin, slot.template))
        self._environment = _environment(parts, development=deployment.development)
        self._environment.globals.update(
            deployment=deployment,
            plugins=[part for part in parts if part.plugin != KERNEL],
            slot=self._slot,
            static_url=assets.url,
        )
        for plugin, names in _templates(parts):
            for name in names:
                _compile(self._environment, plugin, name)

    def install(self, app: web.Application) -> None:
        """Make the templates known to *app* under aiohttp-jinja2's key."""
        app[aiohttp_jinja2.APP_KEY] = self._environment

    def render(
        self,
        request: web.Request,
        template: str,
        values: Mapping[str, object],
        *,
        caller: Principal | None,
        status: int = 200,
    ) -> web.Response:
        """Return the page that *template* makes of *values*, as *caller* may see it."""
        nonce = secrets.token_urlsafe(16)
        lang = str(values.get("lang", "en"))
        surroundings: dict[str, object] = {
            "caller": caller,
            "dir": "rtl" if lang.partition("-")[0] in _RIGHT_TO_LEFT else "ltr",
            "lang": lang,
            "navigation": [entry for entry in self._navigation if permits(caller, entry.permission)],
            "nonce": nonce,
            "path": request.path,
        }
        response = aiohttp_jinja2.render_template(template, request, {**surroundings, **values}, status=status)
        response.headers["Cache-Control"] = "no-store" if caller else "no-cache"
        secure(response, nonce=nonce, https=self._https)
        return response

    def secure(self, response: web.StreamResponse) -> None:
        """Give the headers of a page to a *response* that a page's handler made itself."""
        if not response.prepared:
            secure(response, nonce=secrets.token_urlsafe(16), https=self._https)

    @jinja2.pass_context
    def _slot(self, context: jinja2.runtime.Context, name: str) -> Markup:
        pieces = self._slots.get(name, ())
        working = [one for one in pieces if not self._containment.of(one[0]).rests()]
        return Markup().join(self._piece(context, plugin, template) for plugin, template in working)

    def _piece(self, context: jinja2.runtime.Context, plugin: str, template: str) -> Markup:
        try:
            rendered = context.environment.get_template(template).render(context.get_all())
        except Exception as error:
            # The page belongs to another plugin: it goes on without this piece.
            log.exception("slot failed", action="slot", plugin=plugin, template=template)
            self._containment.failed(plugin, Fault.SLOT, error, what=f"the slot {template}", who=template)
            return Markup()
        return Markup(rendered)  # noqa: S704 - rendered with autoescape on


def _environment(parts: Sequence[Part], *, development: bool) -> jinja2.Environment:
    # A later plugin overrides an earlier one's template, so the last folder is asked first.
    folders = [templates.folder for _, templates in declared(parts, Templates)]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder) for folder in reversed(folders)]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        auto_reload=development,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _templates(parts: Sequence[Part]) -> Iterable[tuple[str, list[str]]]:
    for plugin, templates in declared(parts, Templates):
        yield plugin, jinja2.FileSystemLoader(templates.folder).list_templates()
    for plugin, slot in declared(parts, Slot):
        yield plugin, [slot.template]
    for plugin, page in declared(parts, Page):
        yield plugin, [page.template]


def _compile(environment: jinja2.Environment, plugin: str, name: str) -> None:
    try:
        environment.get_template(name)
    except jinja2.TemplateNotFound as error:
        message = f"pages(): there is no template {name!r} in the folders of any plugin; add it or mend its name"
        raise errors.InvalidDeclaration(message, plugin=plugin) from error
    except jinja2.TemplateSyntaxError as error:
        message = f"pages(): template {name!r}, line {error.lineno}: {error.message}"
        raise errors.InvalidDeclaration(message, plugin=plugin) from error
