"""The pages of the reference, made from the code: what there is, exactly as it is.

Each function yields pages: path below `reference/` without its suffix → Markdown.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

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
    for chapter in (hooks, capabilities, events, permissions, problem_types):
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
        text = f"# {hook}\n\n{_python(_signature(specification) + ':')}\n{inspect.getdoc(specification)}\n\n"
        text += f"{_example(hook, users)}\nMore about it: [Writing a plugin](../../plugins.md).\n"
        yield f"hooks/{hook}", text
    yield "hooks/index", _index("Hooks", "What a plugin overrides.", HOOKS)


def _example(hook: str, users: list[str]) -> str:
    if not users:
        return "No bundled plugin needs it.\n"
    others = f" So do {', '.join(f'`{name}`' for name in users[1:])}." if users[1:] else ""
    kind = type(bundled()[users[0]].plugin)
    source = textwrap.dedent(inspect.getsource(getattr(kind, hook)))
    return f"`{users[0]}` has it.{others}\n\n{_python(source)}"


def capabilities() -> Pages:
    """Yield a page for each capability and contribution: its methods, values, errors and events."""
    names = []
    for module in contract_modules():
        for one in _capabilities(module):
            protocol = _protocol(module, one)
            kind = "capability" if isinstance(one, Capability) else "contribution"
            names.append(one.name)
            text = f"# {one}\n\nA {kind} of `{module.__name__}`.\n\n{inspect.getdoc(module)}\n\n{_ties(one)}"
            text += f"## {protocol.__name__}\n\n{inspect.getdoc(protocol)}\n\n{_methods(protocol)}{_beside(module)}"
            yield f"capabilities/{one.name}", text
    yield "capabilities/index", _index("Capabilities", "How modules meet: what they provide and contribute.", names)


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


def _methods(protocol: type) -> str:
    parts = []
    for base in reversed(protocol.__mro__):
        for name, method in vars(base).items():
            if inspect.isfunction(method) and not name.startswith("_") and base.__module__.startswith("kernel."):
                parts.append(f"### {name}\n\n{_python(_signature(method))}\n{_text(method)}\n")
    return "".join(parts)


def _beside(module: ModuleType) -> str:
    """Return what else the contract has: events by their pages, errors and values by their fields."""
    told = ""
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    if found := [one for one in own if issubclass(one, Event)]:
        told += "## Events\n\n" + "".join(f"- [{one.name}](../events/{one.name}.md): {_line(one)}\n" for one in found)
    if refusals := [one for one in own if issubclass(one, Problem)]:
        told += "\n## Errors\n\n" + "".join(
            f"- `{one.__name__}` ({one.status}, `{one.type}`): {_line(one)}\n" for one in refusals
        )
    for one in own:
        if issubclass(one, msgspec.Struct) and not issubclass(one, Event):
            told += f"\n## {one.__name__}\n\n{inspect.getdoc(one)}\n\n{_fields(one)}"
    return told


def events() -> Pages:
    """Yield a page for each event: its fields, who publishes and who handles it, and its JSON Schema."""
    found = sorted(all_events(), key=lambda event: event.name)
    publishers = {name: one.manifest.publishes for name, one in bundled().items()}
    for event in found:
        told = [name for name, published in publishers.items() if event in published]
        schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(event)), indent=2).decode()
        text = f"# {event.name}\n\n`{event.__module__}.{event.__name__}`\n\n{inspect.getdoc(event)}\n\n"
        text += f"Published by {', '.join(f'`{name}`' for name in told) or 'no bundled plugin'}. "
        text += f"Order is kept by `{event.key}`.\n\n{_fields(event)}\n## JSON Schema\n\n```json\n{schema}\n```\n"
        yield f"events/{event.name}", text
    yield "events/index", _index("Events", "What plugins tell each other.", [event.name for event in found])


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
    rows = [f"| `{one.type}` | {one.status} | {one.title} | {_line(one)} |\n" for one in found]
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


def _fields(kind: type[msgspec.Struct]) -> str:
    meanings, annotations = _comments(kind), inspect.get_annotations(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        value = str(annotations.get(field.name, "")).replace("|", r"\|")
        must = "yes" if field.required else "no"
        rows.append(f"| `{field.name}` | `{value}` | {must} | {meanings.get(field.name, '')} |\n")
    return f"| field | value | must be there | meaning |\n|---|---|---|---|\n{''.join(rows)}" if rows else ""


def _comments(kind: type) -> dict[str, str]:
    """Return field → what the comment `#:` behind it says."""
    found = {}
    for line in inspect.getsource(kind).splitlines():
        name, colon, rest = line.strip().partition(":")
        _, marked, comment = rest.partition("  #: ")
        if colon and marked and name.isidentifier():
            found[name] = comment.replace("|", r"\|")
    return found


def _signature(function: object) -> str:
    word = "async def" if inspect.iscoroutinefunction(function) else "def"
    parameters = str(inspect.signature(function)).replace("'", "")  # type: ignore[arg-type]
    return f"{word} {function.__name__}{parameters}"  # type: ignore[attr-defined]


def _python(code: str) -> str:
    return f"```python\n{code.rstrip()}\n```\n"


def _text(thing: object) -> str:
    """Return the docstring, its lists of errors as a list."""
    lines = (inspect.getdoc(thing) or "").split("Raises:")
    raised = "".join(f"- {line.strip()}\n" for line in lines[1].strip().splitlines()) if lines[1:] else ""
    return f"{lines[0].strip()}\n" + (f"\nRaises:\n\n{raised}" if raised else "")


def _line(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace("|", r"\|")


def _index(title: str, about: str, names: Any) -> str:
    listed = "\n".join(names)
    return f"# {title}\n\n{about}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


if __name__ == "__main__":
    write()
