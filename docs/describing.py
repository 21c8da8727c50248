"""Markdown about a piece of code: its signature, its fields and what its docstring says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from types import ModuleType

import msgspec


def methods(kind: type) -> str:
    """Return the public methods of a class of the kernel, each with its signature and what it says."""
    parts = []
    for base in reversed(kind.__mro__):
        for name, method in vars(base).items():
            if inspect.isfunction(method) and not name.startswith("_") and base.__module__.startswith("kernel."):
                parts.append(f"### {name}\n\n{python(signature(method))}\n{text(method)}\n")
    return "".join(parts)


def fields(kind: type[msgspec.Struct]) -> str:
    """Return the fields of a Struct as a table."""
    meanings, annotations = comments(kind), inspect.get_annotations(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        value = str(annotations.get(field.name, "")).replace("|", r"\|")
        must = "yes" if field.required else "no"
        rows.append(f"| `{field.name}` | `{value}` | {must} | {meanings.get(field.name, '')} |\n")
    return f"| field | value | must be there | meaning |\n|---|---|---|---|\n{''.join(rows)}" if rows else ""


def comments(kind: type) -> dict[str, str]:
    """Return field, or member of an enumeration → what the comments `#:` above and behind it say."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        code, marked, comment = line.strip().partition("#:")
        said = [*above, comment.strip()] if marked else above
        above = said if marked and not code else []
        if said and (named := re.match(r"(\w+)(?::| =) ", code)):
            found[named[1]] = " ".join(filter(None, said)).replace("|", r"\|")
    return found


def signature(function: object) -> str:
    """Return how a function is defined."""
    word = "async def" if inspect.iscoroutinefunction(function) else "def"
    parameters = str(inspect.signature(function)).replace("'", "")  # type: ignore[arg-type]
    return f"{word} {function.__name__}{parameters}"  # type: ignore[attr-defined]


def python(code: str) -> str:
    """Return *code* as a block."""
    return f"```python\n{code.rstrip()}\n```\n"


def text(thing: object) -> str:
    """Return the docstring, its lists of errors as a list."""
    lines = (inspect.getdoc(thing) or "").split("Raises:")
    raised = "".join(f"- {line.strip()}\n" for line in lines[1].strip().splitlines()) if lines[1:] else ""
    return f"{lines[0].strip()}\n" + (f"\nRaises:\n\n{raised}" if raised else "")


def line(thing: object) -> str:
    """Return the first paragraph of the docstring, fit for a table."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace("|", r"\|")


def index(title: str, about: str, names: Iterable[str]) -> str:
    """Return the page that leads to others."""
    listed = "\n".join(names)
    return f"# {title}\n\n{about}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def constants(module: ModuleType) -> Iterator[tuple[str, object, str]]:
    """Yield the public constants of *module*, each with its value and what the comment `#:` above it says."""
    source = inspect.getsource(module)
    for found in re.finditer(r"((?:^#:.*\n)*)^([A-Za-z]\w+)(?:: Final[^=\n]*)? = ", source, re.MULTILINE):
        if (name := found[2]) in vars(module):
            yield name, getattr(module, name), " ".join(re.findall(r"^#: ?(.*)$", found[1], re.MULTILINE))
