"""The rules as a test of a plugin's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kernel import errors
from kernel.discovery import Catalogue, Installed
from kernel.events.event import Event
from kernel.testing.conformance.examination import examine
from kernel.testing.conformance.subject import find_subject
from kernel.testing.conformance.verdicts import BROKEN, Verdict
from kernel.testing.fakes import PluginClass

if TYPE_CHECKING:
    from kernel.testing.deploying import Deploy


async def assert_conforms(
    deploy: Deploy,
    plugin: str | PluginClass,
    *,
    settings: Mapping[str, object] | None = None,
    samples: Sequence[Event] = (),
) -> list[Verdict]:
    """Look at every rule of the house for *plugin*, an installed one by its name or class, on the end of *deploy*.

    *settings* are those without which it does not boot. Its handlers are tried with *samples*, and with made-up events
    of the types of which there is none. Returns the verdicts, in which `not checked` says what nothing is known of.

    Raises:
        AssertionError: a rule is broken; the message has them all, each with its remedy.
    """
    catalogue = Catalogue.read()
    try:
        installed = _find(catalogue, plugin)
        subject = find_subject(catalogue, installed, deploy.end, settings=settings, samples=samples)
    except errors.BootError as error:
        raise AssertionError(f"manifest: {error.message}") from error
    verdicts = [verdict async for verdict in examine(subject)]
    faults = [f"{one.rule}: {one.remedy}" for one in verdicts if one.verdict == BROKEN]
    if faults:  # no `assert`, to whose message pytest would add
        raise AssertionError("\n".join([f"{subject.name} breaks the rules of the house:", *faults]))
    return verdicts


def _find(catalogue: Catalogue, plugin: str | PluginClass) -> Installed:
    if isinstance(plugin, str):
        return catalogue.get(plugin, where="assert_conforms")
    installed = catalogue.get(plugin.manifest.name, where="assert_conforms")
    if installed.load() is not plugin:
        found, given = installed.source, f"{plugin.__module__}:{plugin.__qualname__}"
        raise errors.InvalidPlugin(
            f"the entry point '{installed.name}' names {found}, not {given}; mend it, and install it again",
            plugin=installed.name,
        )
    return installed
