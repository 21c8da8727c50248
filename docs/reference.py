"""The pages of the reference, made from the code: what there is, exactly as it is.

Each function yields pages: path below `reference/` without its suffix → Markdown.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from docs import facade
from docs.describing import constants, fields, index, line, methods, python, signature
from kernel import Event, Plugin, contracts
from kernel.capabilities import Capability, Contribution
from kernel.declarations import OPERATE
from kernel.discovery import Catalogue, Discovered, load
from kernel.hooks import HOOKS, Hooks
from kernel.http import problems
from kernel.http.problems import Problem
from kernel.testing.event_schemas import all_events

Pages = Iterator[tuple[str, str]]
AnyCapability = Capability[Any] | Contribution[Any]

ROOT: Final = Path(__file__).parents[1]
REFERENCE: Final = Path(__file__).parent / "reference"


def pages() -> Pages:
    """Yield every page of the reference."""
    for chapter in (hooks, facade.pages, capabilities, events, permissions, problem_types):
        yield from chapter()


def write() -> None:
    """Write the pages into the folder `reference`, and remove what is no longer one."""
    made = {REFERENCE / f"{path}.md": text for path, text in pages()}
    for old in set(REFERENCE.rglob("*.md")) - made.keys():
        old.unlink()
    for file, text in made.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:  # what is the same is not built again
            file.write_text(text, encoding="utf-8")


def bundled() -> dict[str, Discovered]:
    """Return the plugins that come with the platform."""
    catalogue = Catalogue.read()
    return {name: load(catalogue.any(name)) for name in catalogue.bundled()}


def hooks() -> Pages:
    """Yield a page for each hook: its exact signature, what it returns, and one that is in use."""
    for hook in HOOKS:
        specification = getattr(Plugin, hook)
        users = [name for name, one in bundled().items() if hook in Hooks().names(one.plugin)]
        text = f"# {hook}\n\n{python(signature(specification) + ':')}\n{inspect.getdoc(specification)}\n\n"
        text += f"{_example(hook, users)}\nMore about it: [Writing a plugin](../../plugins.md).\n"
        yield f"hooks/{hook}", text
    yield "hooks/index", index("Hooks", "What a plugin overrides.", HOOKS)


def _example(hook: str, users: list[str]) -> str:
    if not users:
        return "No bundled plugin needs it.\n"
    others = f" So do {', '.join(f'`{name}`' for name in users[1:])}." if users[1:] else ""
    kind = type(bundled()[users[0]].plugin)
    source = textwrap.dedent(inspect.getsource(getattr(kind, hook)))
    return f"`{users[0]}` has it.{others}\n\n{python(source)}"


def capabilities() -> Pages:
    """Yield a page for each capability and contribution: its methods, values, errors and events."""
    names = []
    for module in contract_modules():
        for one in _capabilities(module):
            protocol = _protocol(module, one)
            kind = "capability" if isinstance(one, Capability) else "contribution"
            names.append(one.name)
            text = f"# {one}\n\nA {kind} of `{module.__name__}`.\n\n{inspect.getdoc(module)}\n\n{_ties(one)}"
            text += f"## {protocol.__name__}\n\n{inspect.getdoc(protocol)}\n\n{methods(protocol)}"
            text += _beside(module) + _over_http(module)
            yield f"capabilities/{one.name}", text
    yield "capabilities/index", index("Capabilities", "How modules meet: what they provide and contribute.", names)


def contract_modules() -> list[ModuleType]:
    """Return the modules of `kernel.contracts`."""
    return [
        importlib.import_module(f"{contracts.__name__}.{one.name}") for one in pkgutil.iter_modules(contracts.__path__)
    ]


def _protocol(module: ModuleType, capability: AnyCapability) -> type:
    constant = next(name for name, value in vars(module).items() if value is capability)
    annotation = inspect.get_annotations(module)[constant]  # `Final[Capability[Payments]]`
    name = annotation.rpartition("[")[2].rstrip("]")
    found: type = getattr(module, name)
    return found


def _ties(capability: AnyCapability) -> str:
    told = ""
    for verb, field in (("Provided", "provides"), ("Required", "requires"), ("Wanted", "wants")):
        names = [name for name, one in bundled().items() if capability in getattr(one.manifest, field)]
        told += f"- {verb} by {', '.join(f'`{name}`' for name in names)}.\n" if names else ""
    return f"{told}\n" if told else ""


def _beside(module: ModuleType) -> str:
    """Return what else the contract has: events by their pages, errors and values by their fields."""
    told = ""
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    if found := [one for one in own if issubclass(one, Event)]:
        told += "## Events\n\n" + "".join(f"- [{one.name}](../events/{one.name}.md): {line(one)}\n" for one in found)
    if refusals := [one for one in own if issubclass(one, Problem)]:
        told += "\n## Errors\n\n" + "".join(
            f"- `{one.__name__}` ({one.status}, `{one.type}`): {line(one)}\n" for one in refusals
        )
    if known := [found for found in constants(module) if not isinstance(found[1], Capability | Contribution)]:
        told += "\n## Constants\n\n" + "".join(f"- `{name}` = `{value!r}`. {what}\n" for name, value, what in known)
    return told + _values(own)


def _over_http(module: ModuleType) -> str:
    """Return the bodies of the HTTP surface, where the contract has one."""
    name = f"{module.__name__}_http"
    if importlib.util.find_spec(name) is None:
        return ""
    bodies = importlib.import_module(name)
    own = [one for one in vars(bodies).values() if isinstance(one, type) and one.__module__ == name]
    return f"\n## Over HTTP\n\n`{name}`: {inspect.getdoc(bodies)}\n{_values(own)}"


def _values(found: Iterable[type]) -> str:
    """Return the fields of the values among *found*."""
    return "".join(
        f"\n## {one.__name__}\n\n{inspect.getdoc(one)}\n\n{fields(one)}"
        for one in found
        if issubclass(one, msgspec.Struct) and not issubclass(one, Event)
    )


def events() -> Pages:
    """Yield a page for each event: its fields, who publishes and who handles it, and its JSON Schema."""
    found = sorted(all_events(), key=lambda event: event.name)
    publishers = {name: one.manifest.publishes for name, one in bundled().items()}
    for event in found:
        told = [name for name, published in publishers.items() if event in published]
        schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(event)), indent=2).decode()
        text = f"# {event.name}\n\n`{event.__module__}.{event.__name__}`\n\n{inspect.getdoc(event)}\n\n"
        text += f"Published by {', '.join(f'`{name}`' for name in told) or 'no bundled plugin'}. "
        text += f"Order is kept by `{event.key}`.\n\n{fields(event)}\n## JSON Schema\n\n```json\n{schema}\n```\n"
        yield f"events/{event.name}", text
    yield "events/index", index("Events", "What plugins tell each other.", [event.name for event in found])


def permissions() -> Pages:
    """Yield the page of the permissions."""
    plugins = ((f"`{name}`", one) for name, found in bundled().items() for one in found.plugin.permissions())
    declared = [("the kernel", OPERATE), *plugins]
    rows = [f"| `{one.name}` | {one.summary} | {', '.join(one.roles) or '–'} | {owner} |\n" for owner, one in declared]
    head = "| permission | what it allows | roles that have it by default | plugin |\n|---|---|---|---|\n"
    yield (
        "permissions",
        f"# Permissions\n\nWhat the kernel and the bundled plugins declare.\n\n{head}{''.join(sorted(rows))}",
    )


def problem_types() -> Pages:
    """Yield the page of the types of problems."""
    for module in contract_modules():
        importlib.import_module(module.__name__)
    found = sorted(problem_classes(), key=lambda one: (one.status, one.type))
    rows = [f"| `{one.type}` | {one.status} | {one.title} | {line(one)} |\n" for one in found]
    head = "| type | status | title | when |\n|---|---|---|---|\n"
    yield "problems", f"# Problem types\n\nWhat the HTTP API answers instead of a result.\n\n{head}{''.join(rows)}"


def problem_classes() -> set[type[Problem]]:
    """Return every problem of the kernel, the contracts and the bundled plugins that is raised as such."""
    bundled()
    return {
        one for one in _subclasses(problems.Problem) if "type" in vars(one) and not one.__module__.startswith("tests")
    }


def _subclasses(root: type[Problem]) -> Iterator[type[Problem]]:
    for one in root.__subclasses__():
        yield one
        yield from _subclasses(one)


def _capabilities(module: ModuleType) -> list[AnyCapability]:
    """Return the capabilities and contributions that *module* defines, not those that it imports."""
    own = inspect.get_annotations(module)
    return [
        value for name, value in vars(module).items() if name in own and isinstance(value, Capability | Contribution)
    ]


if __name__ == "__main__":
    write()
