"""The pages of what plugins import of the kernel: every name, exactly as it is."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Final

import msgspec

import kernel
import kernel.database
from docs.describing import comments, constants, fields, index, line, methods, python, signature
from kernel import errors
from kernel.capabilities import Capability, Contribution
from kernel.http import problems
from kernel.web import declarations

#: The modules that plugins import, by the names of their pages.
_MODULES: Final = {"kernel": kernel, "kernel.database": kernel.database, "kernel.web": declarations}
_ABOUT: Final = {
    "kernel": "Everything that a plugin is made of. `from kernel import …` is all that most modules need.",
    "kernel.database": "Statements, and the database that runs them.",
    "kernel.web": "What `pages` returns: `from kernel import web`, then `web.Page(…)`.",
}


def pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each module of the façade, and one for errors and problems."""
    for name, module in _MODULES.items():
        entries = "".join(_entry(one, getattr(module, one), _home(module, one)) for one in module.__all__)
        yield f"api/{name}", f"# {name}\n\n{_ABOUT[name]}\n\n{entries}"
    yield "api/errors", _errors()
    yield "api/index", index("What plugins import", "The names of the kernel.", [*_MODULES, "errors"])


def _errors() -> str:
    text = "# kernel.errors and kernel.problems\n\nRaise a problem to refuse a request: `raise problems.Conflict(…)`. "
    text += "A problem of your own is a class with `type`, `status` and `title`.\n\n"
    text += _class("problems.Problem", problems.Problem) + _class("problems.FieldError", problems.FieldError)
    text += "All types stand in [Problem types](../problems.md).\n\n## errors\n\n"
    own = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    return text + "".join(f"- `errors.{one.__name__}`: {line(one)}\n" for one in own)


def _home(module: ModuleType, name: str) -> ModuleType:
    """Return the module in which the *name* that *module* offers is defined."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module and any((a.asname or a.name) == name for a in node.names):
            return importlib.import_module(node.module)
    return module


def _entry(name: str, value: object, home: ModuleType) -> str:
    if isinstance(value, ModuleType):
        return f"## {name}\n\nThe module `{value.__name__}`: {line(value)}\n\n"
    if isinstance(value, type):
        return _class(name, value)
    if inspect.isroutine(value):
        defined = signature(value).replace(value.__name__, name, 1)
        return f"## {name}\n\n{python(defined)}\n{inspect.getdoc(value) or ''}\n\n"
    if callable(value) and not isinstance(value, type) and type(value).__module__.startswith("kernel."):
        return f"## {name}\n\n{python(f'{name}{_call(type(value).__call__)}')}\n{inspect.getdoc(type(value))}\n\n"
    said = {constant: what for constant, _, what in constants(home)}.get(name, "")
    shown = repr(value) if _is_plain(value) else str(value) if isinstance(value, Capability | Contribution) else ""
    return f"## {name}\n\n" + (f"`{shown}`. " if shown else "") + f"{said}\n\n"


def _class(name: str, kind: type) -> str:
    text = f"## {name}\n\n"
    if issubclass(kind, enum.Enum):
        meanings = comments(kind)
        members = "".join(f"- `{one.name}` (`{one.value!r}`): {meanings.get(one.name, '')}\n" for one in kind)
        return f"{text}{inspect.getdoc(kind)}\n\n{members}\n"
    if issubclass(kind, msgspec.Struct):
        return f"{text}{inspect.getdoc(kind)}\n\n{fields(kind)}\n"
    if "__init__" in vars(kind) and not getattr(kind, "_is_protocol", False):
        text += python(f"class {name}{_call(kind.__init__)}") + "\n"
    text += f"{inspect.getdoc(kind) or ''}\n\n"
    if dataclasses.is_dataclass(kind) and (told := comments(kind)):
        text += "".join(f"- `{field}`: {what}\n" for field, what in told.items()) + "\n"
    return text + methods(kind).replace("### ", f"### {name}.")


def _call(function: object) -> str:
    """Return the parameters without the first, which is the object itself."""
    parameters = inspect.signature(function)  # type: ignore[arg-type]
    return str(parameters.replace(parameters=list(parameters.parameters.values())[1:])).replace("'", "")


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool, tuple, frozenset))
