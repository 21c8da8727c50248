"""Resolution: from manifests to one provider for each capability and one order to start in."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kernel import errors
from kernel.capabilities import Capability, Contribution
from kernel.plugin import Manifest

AnyCapability = Capability[object]
Manifests = Mapping[str, Manifest]
Graph = dict[str, dict[str, str]]  #: consumer → provider → the capability that ties them


@dataclass(frozen=True, kw_only=True)
class SoftEdge:
    """A `wants` that was not honoured, because it would have closed a cycle."""

    consumer: str
    provider: str
    capability: str


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Who provides what, and in which order the plugins start."""

    order: tuple[str, ...]
    providers: Mapping[AnyCapability, str]
    set_aside: Mapping[str, str]  #: plugins that are enabled but give way to a chosen provider, and why
    unmet: Mapping[str, str]  #: optional plugins that lack a capability, and which
    dropped: tuple[SoftEdge, ...]


def resolve(
    manifests: Manifests,
    choices: Mapping[str, str],
    *,
    could_provide: Callable[[AnyCapability], Iterable[str]] = lambda capability: (),
) -> Resolution:
    """Resolve the enabled plugins' *manifests* under the *choices* of `[providers]`.

    A plugin none of whose capabilities was chosen is set aside: it does not run. *could_provide* names installed
    plugins that are off and have the capability, for the message.

    Raises:
        errors.UnknownProvider, errors.AmbiguousProvider, errors.MissingCapability, errors.CapabilityCycle
    """
    providers = _select(manifests, choices)
    set_aside = _set_aside(manifests, providers)
    running = {name: manifest for name, manifest in manifests.items() if name not in set_aside}
    unmet = _check_requirements(running, providers, could_provide)
    running = {name: manifest for name, manifest in running.items() if name not in unmet}
    providers = {capability: name for capability, name in providers.items() if name in running}
    order, dropped = _sort(running, providers)
    return Resolution(order=order, providers=providers, set_aside=set_aside, unmet=unmet, dropped=dropped)


def _select(manifests: Manifests, choices: Mapping[str, str]) -> dict[AnyCapability, str]:
    candidates: dict[AnyCapability, list[str]] = {}
    for name in sorted(manifests):
        for capability in capabilities(manifests[name]):
            candidates.setdefault(capability, []).append(name)
    _check_choices(candidates, manifests, choices)
    return {capability: _choose(capability, names, choices) for capability, names in candidates.items()}


def _check_choices(
    candidates: Mapping[AnyCapability, list[str]], manifests: Manifests, choices: Mapping[str, str]
) -> None:
    for key, chosen in choices.items():
        providers = [name for capability, names in candidates.items() if key in _keys(capability) for name in names]
        if chosen in providers:
            continue
        state = "does not provide it" if chosen in manifests else "is not an enabled plugin"
        remedy = (
            f"choose among: {', '.join(providers)}" if providers else "no enabled plugin provides it; remove the line"
        )
        raise errors.UnknownProvider(f"[providers] {key} = \"{chosen}\": '{chosen}' {state}; {remedy}")


def _choose(capability: AnyCapability, names: list[str], choices: Mapping[str, str]) -> str:
    wanted = {choices[key] for key in _keys(capability) if key in choices}
    chosen = [name for name in names if name in wanted] or names
    if len(chosen) == 1:
        return chosen[0]
    raise errors.AmbiguousProvider(
        f"the enabled plugins {' and '.join(names)} provide {capability}; choose one in the configuration: "
        f'[providers] {capability.name} = "{names[0]}"'
    )


def _keys(capability: AnyCapability) -> tuple[str, str]:
    return capability.name, str(capability)  # `payments` means every major, "payments/2" just that one


def capabilities(manifest: Manifest) -> tuple[AnyCapability, ...]:
    """Return the capabilities that *manifest* provides, without its contributions."""
    return tuple(one for one in manifest.provides if isinstance(one, Capability))


def _set_aside(manifests: Manifests, providers: Mapping[AnyCapability, str]) -> dict[str, str]:
    found = {}
    for name, manifest in manifests.items():
        own = capabilities(manifest)
        if own and all(providers[capability] != name for capability in own):
            found[name] = "; ".join(f"{capability} is provided by {providers[capability]}" for capability in own)
    return found


def _check_requirements(
    running: Manifests,
    providers: Mapping[AnyCapability, str],
    could_provide: Callable[[AnyCapability], Iterable[str]],
) -> dict[str, str]:
    unmet: dict[str, str] = {}
    grew = True
    while grew:  # an optional plugin that fails takes those along that require it
        grew = False
        for name in sorted(running.keys() - unmet.keys()):
            reason = _lacks(running[name], providers, unmet, could_provide)
            if reason and not running[name].optional:
                raise errors.MissingCapability(reason, plugin=name)
            if reason:
                unmet[name], grew = reason, True
    return unmet


def _lacks(
    manifest: Manifest,
    providers: Mapping[AnyCapability, str],
    unmet: Mapping[str, str],
    could_provide: Callable[[AnyCapability], Iterable[str]],
) -> str | None:
    for capability in manifest.requires:
        provider = providers.get(capability)
        if provider is None:
            others = ", ".join(could_provide(capability))
            remedy = f"enable one of: {others}" if others else "install and enable a plugin that provides it"
            return f"it requires {capability}, which no enabled plugin provides; {remedy}"
        if provider in unmet:
            return f"it requires {capability}, whose provider {provider} failed: {unmet[provider]}"
    return None


def _sort(running: Manifests, providers: Mapping[AnyCapability, str]) -> tuple[tuple[str, ...], tuple[SoftEdge, ...]]:
    graph: Graph = {name: {} for name in running}
    for name in running:
        for capability in running[name].requires:
            graph[name].setdefault(providers[capability], str(capability))
    _check_cycle(graph)
    dropped = _add_soft_edges(graph, running, providers)
    return tuple(_by_name(graph)), dropped


def _check_cycle(graph: Graph) -> None:
    try:
        graphlib.TopologicalSorter({name: sorted(edges) for name, edges in sorted(graph.items())}).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each node before those that need it; we print who requires whom
        path: list[str] = list(reversed(error.args[1]))
        steps = ", ".join(f"{one} requires {graph[one][two]} of {two}" for one, two in itertools.pairwise(path))
        raise errors.CapabilityCycle(
            f"the plugins require each other in a circle: {' → '.join(path)} ({steps}); "
            "turn one of these into a `wants` or an event"
        ) from error


def _add_soft_edges(graph: Graph, running: Manifests, providers: Mapping[AnyCapability, str]) -> tuple[SoftEdge, ...]:
    dropped = []
    for name in sorted(running):
        for wanted in running[name].wants:
            for provider in _offering(wanted, running, providers):
                if provider == name or provider in graph[name]:
                    continue
                if _reaches(graph, provider, name):
                    dropped.append(SoftEdge(consumer=name, provider=provider, capability=str(wanted)))
                else:
                    graph[name][provider] = str(wanted)
    return tuple(dropped)


def _offering(
    wanted: AnyCapability | Contribution[object], running: Manifests, providers: Mapping[AnyCapability, str]
) -> tuple[str, ...]:
    if isinstance(wanted, Capability):
        return (providers[wanted],) if wanted in providers else ()
    return tuple(name for name in sorted(running) if wanted in running[name].provides)


def _reaches(graph: Graph, start: str, goal: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        for following in graph[waiting.pop()].keys() - seen:
            seen.add(following)
            waiting.append(following)
    return goal in seen


def _by_name(graph: Graph) -> list[str]:
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()
    order: list[str] = []
    ready = list(sorter.get_ready())
    while ready:  # one at a time, so that the smallest name among those that may start comes next
        ready.sort()
        following = ready.pop(0)
        order.append(following)
        sorter.done(following)
        ready.extend(sorter.get_ready())
    return order
