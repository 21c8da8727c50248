"""Every route by which somebody changes what is not their own, against `route_acts.toml`: an act, or why it is none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from kernel import PUBLIC, SIGNED_IN, front
from kernel.contracts.audit import ActRecorded
from kernel.discovery import Catalogue, load
from kernel.http.signatures import SAFE_METHODS
from kernel.lifecycle import Platform
from kernel.testing.deploying import Deploy

_HERE: Final = Path(__file__).parent
_FILE: Final = tomllib.loads((_HERE / "route_acts.toml").read_text(encoding="utf-8"))
#: Route → the name of its act.
ACTS: Final[Mapping[str, str]] = _FILE["acts"]
#: Route → why it is none.
NONE: Final[Mapping[str, str]] = _FILE["none"]
#: Command → the name of its act.
COMMANDS: Final[Mapping[str, str]] = _FILE["commands"]
_NAME: Final = re.compile(r"(?P<plugin>[a-z]+)\.[a-z_]+")


async def test_every_route_over_what_is_not_ones_own_is_an_act_or_says_why_not(deploy: Deploy) -> None:
    """A route without a row fails, and so does a row without a route."""
    deployment = await deploy(*Catalogue.read().bundled())

    routes = set(_privileged(deployment.platform))

    assert sorted(routes - ACTS.keys() - NONE.keys()) == [], "these routes have no row in route_acts.toml"
    assert sorted((ACTS.keys() | NONE.keys()) - routes) == [], "these rows of route_acts.toml have no route"
    assert sorted(ACTS.keys() & NONE.keys()) == [], "these routes are acts and are none"


def _privileged(platform: Platform) -> Iterator[str]:
    for plugin in front.mounted(platform):
        for route in plugin.routes:
            if route.method not in SAFE_METHODS and route.permission not in (PUBLIC, SIGNED_IN):
                yield f"{route.method} /api/v1/{plugin.mount}{route.path}"


def test_every_act_is_tested_where_its_plugin_is() -> None:
    """Its name stands in a test of the plugin with which it begins, and that plugin says that it tells acts."""
    names = sorted({*ACTS.values(), *COMMANDS.values()})
    tests = {plugin: _tests_of(plugin) for plugin in map(_plugin_of, names)}

    untested = [name for name in names if not _stands_in(tests[_plugin_of(name)], name)]
    silent = [plugin for plugin in tests if ActRecorded not in load(Catalogue.read().any(plugin)).manifest.publishes]

    assert untested == [], "no test in the folder of the plugin names these acts"
    assert silent == [], "these plugins do not publish ActRecorded"


def _tests_of(plugin: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in (_HERE / "plugins" / plugin).glob("*.py"))


def _stands_in(tests: str, name: str) -> bool:
    """Return whether *tests* name the act *name*, whole or without its plugin."""
    return f'"{name}"' in tests or f'"{name.partition(".")[2]}"' in tests


def _plugin_of(name: str) -> str:
    found = _NAME.fullmatch(name)
    assert found is not None, f"{name!r} is no name of an act, such as 'auth.set_roles'"
    return found["plugin"]


def test_every_reason_says_something() -> None:
    """A reader learns why."""
    assert [route for route, reason in NONE.items() if len(reason.split()) < 2] == []
