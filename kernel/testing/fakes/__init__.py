"""Providers without a database, for the tests of plugins that need one.

`deploy` takes the fake of whatever a plugin requires and nobody provides whom the test names. A new fake is a plugin
and a row in `FAKES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from kernel.capabilities import Capability
from kernel.contracts.audit import AUDIT
from kernel.contracts.chat import CHAT
from kernel.contracts.courses import COURSES
from kernel.contracts.enrollments import ENROLLMENTS
from kernel.contracts.mail import MAIL
from kernel.contracts.notifications import NOTIFICATIONS
from kernel.contracts.payments import PAYMENTS
from kernel.contracts.search import SEARCH
from kernel.contracts.users import USERS
from kernel.http.identity import IDENTITY
from kernel.plugin import Manifest, Plugin
from kernel.testing.fakes.audit import InMemoryAuditPlugin
from kernel.testing.fakes.chat import InMemoryChatPlugin
from kernel.testing.fakes.courses import InMemoryCoursesPlugin
from kernel.testing.fakes.enrollments import InMemoryEnrollmentsPlugin
from kernel.testing.fakes.mail import InMemoryMailPlugin
from kernel.testing.fakes.notifications import InMemoryNotificationsPlugin
from kernel.testing.fakes.payments import InMemoryPaymentsPlugin
from kernel.testing.fakes.search import InMemorySearchPlugin
from kernel.testing.fakes.users import InMemoryUsersPlugin
from kernel.testing.identity import IdentityPlugin

PluginClass = type[Plugin[Any]]
#: Finds who could provide a capability; None for nobody.
Finder = Callable[[Capability[object]], PluginClass | None]

#: Capability → the plugin that provides it from memory.
FAKES: Final[Mapping[Capability[object], PluginClass]] = {
    AUDIT: InMemoryAuditPlugin,
    CHAT: InMemoryChatPlugin,
    COURSES: InMemoryCoursesPlugin,
    ENROLLMENTS: InMemoryEnrollmentsPlugin,
    IDENTITY: IdentityPlugin,
    MAIL: InMemoryMailPlugin,
    NOTIFICATIONS: InMemoryNotificationsPlugin,
    PAYMENTS: InMemoryPaymentsPlugin,
    SEARCH: InMemorySearchPlugin,
    USERS: InMemoryUsersPlugin,
}


def fake_of(capability: Capability[object]) -> PluginClass | None:
    """Return the plugin that provides *capability* from memory, None where there is none."""
    return FAKES.get(capability)


def stand_ins(manifests: Iterable[Manifest], find: Finder = fake_of) -> tuple[PluginClass, ...]:
    """Return who provides what the plugins with *manifests* require and do not provide themselves.

    What the stand-ins require is found as well. Somebody always has to say who calls: `auth/1` is required by all.
    What *find* does not know stays missing, and the boot says so.
    """
    known, chosen = list(manifests), list[PluginClass]()
    while found := _next(known, find):
        chosen.append(found)
        known.append(found.manifest)
    return tuple(chosen)


def _next(known: Sequence[Manifest], find: Finder) -> PluginClass | None:
    provided = {one for manifest in known for one in manifest.provides}
    required = dict.fromkeys([IDENTITY, *(one for manifest in known for one in manifest.requires)])
    return next(filter(None, (find(one) for one in required if one not in provided)), None)
