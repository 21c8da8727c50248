"""Verdicts: what two portraits and the trials say about an upgrade, plugin by plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from kernel.rehearsal.fetching import Fetched
from kernel.rehearsal.portraits import PluginPortrait, Portrait
from kernel.rehearsal.stage import Performance
from kernel.rehearsal.trials import Trial
from kernel.testing.schemas import breaking_changes

Weight = Literal["refuses", "look"]
Finding = tuple[Weight, str]

FINE: Final = "fine"
LOOK: Final = "look"
REFUSED: Final = "refused"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the upgrade means for one plugin: `fine`, `look` at what changes, or `refused`."""

    plugin: str
    before: str  #: its version; empty where it is new
    after: str
    verdict: str
    findings: tuple[str, ...] = ()


def judge(before: Portrait, performance: Performance, fetched: Fetched) -> list[Verdict]:
    """Return a verdict on every plugin that is on before or after the upgrade."""
    after = performance.portrait
    names = sorted(before.plugins.keys() | after.plugins.keys())
    found = {name: list(_findings(name, before, performance, fetched)) for name in names}
    if after.refused:
        culprit = found.setdefault(after.refused_plugin or fetched.plugins[0], [])
        if ("refuses", after.refused) not in culprit:
            culprit.append(("refuses", f"the deployment would not start: {after.refused}"))
    return [_verdict(name, before, after, findings) for name, findings in found.items()]


def _verdict(name: str, before: Portrait, after: Portrait, findings: list[Finding]) -> Verdict:
    weights = {weight for weight, _ in findings}
    return Verdict(
        plugin=name,
        before=before.plugins[name].version if name in before.plugins else "",
        after=after.plugins[name].version if name in after.plugins else "",
        verdict=REFUSED if "refuses" in weights else LOOK if weights else FINE,
        findings=tuple(text for _, text in findings),
    )


def _findings(name: str, before: Portrait, performance: Performance, fetched: Fetched) -> Iterator[Finding]:
    old, new = before.plugins.get(name), performance.portrait.plugins.get(name)
    if name in fetched.plugins:
        yield from (("refuses", lack) for lack in fetched.lacks)
    if old is not None and new is None:
        yield "refuses", "the new version does not bring it any more"
    if new is None:
        return
    if new.failed:
        if old is None or not old.failed:
            yield "refuses", new.failed
        return
    if old is not None and not performance.portrait.refused:
        yield from _surface(old, new)
    if old is not None:
        yield from _contracts(name, old, new, before.plugins)
    yield from _migrations(performance.trials.get(name, Trial()))


def _contracts(
    name: str, old: PluginPortrait, new: PluginPortrait, plugins: Mapping[str, PluginPortrait]
) -> Iterator[Finding]:
    others = {other: one for other, one in plugins.items() if other != name and not one.failed}
    for capability in sorted(set(old.provides) - set(new.provides)):
        for other, one in others.items():
            if capability in one.requires:
                yield "refuses", f"it no longer provides {capability}, which {other} requires"
            elif capability in one.wants:
                yield "look", f"it no longer provides {capability}, which {other} does without"
    for event in sorted(old.events.keys() - new.events.keys()):
        listeners = [other for other, one in others.items() if event in one.listens]
        told = f"it no longer publishes {event}"
        yield ("refuses", f"{told}, which {', '.join(listeners)} handle") if listeners else ("look", told)
    for event in sorted(old.events.keys() & new.events.keys()):
        yield from (("refuses", change) for change in breaking_changes(event, old.events[event], new.events[event]))


def _surface(old: PluginPortrait, new: PluginPortrait) -> Iterator[Finding]:
    yield from (("look", f"gone: {route}") for route in sorted(old.routes.keys() - new.routes.keys()))
    for route in sorted(old.routes.keys() & new.routes.keys()):
        if old.routes[route] != new.routes[route]:
            yield "look", f"{route} needs {new.routes[route]} instead of {old.routes[route]}"
    yield from (("look", f"gone: the page {page}") for page in old.pages if page not in new.pages)
    for name, roles in sorted(new.permissions.items()):
        gained = sorted(set(roles) - set(old.permissions.get(name, roles)))
        yield from (("look", f"{role} gets the permission {name}") for role in gained)
    for event in sorted(set(old.listens) - set(new.listens)):
        yield "look", f"it no longer handles {event}"


def _migrations(trial: Trial) -> Iterator[Finding]:
    if trial.failed:
        yield "refuses", f"on a copy of the data: {trial.failed}"
    for table, rows in sorted(trial.lost_up.items()):
        yield "look", f"its migration removes {rows} rows of {table}"
    for table, rows in sorted(trial.lost_down.items()):
        yield "look", f"going back would lose {rows} rows of {table}"
    if trial.steps and not trial.failed:
        steps = ", ".join(trial.steps)
        yield "look", f"on a copy of the data {steps} went up, down and up again; up took {trial.seconds:g} s"
