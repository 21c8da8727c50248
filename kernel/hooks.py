"""The hooks of one deployment: pluggy, asked one plugin at a time."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import pluggy
from aiohttp import web

from kernel import errors
from kernel.plugin import PROJECT, Plugin

AnyPlugin = Plugin[Any]  #: a plugin with settings of whichever type
T = TypeVar("T")

_IMPLEMENTATION: Final = f"{PROJECT}_impl"  # the mark that `hookimpl` leaves on a function
_SPECIFICATION: Final = f"{PROJECT}_spec"

#: Every hook there is, in the order of the class.
HOOKS: Final = tuple(name for name, member in vars(Plugin).items() if hasattr(member, _SPECIFICATION))


class Hooks:
    """Holds the plugins of one deployment and calls their hooks."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Plugin)

    def add(self, name: str, plugin: AnyPlugin) -> None:
        """Take *plugin* in, after its hooks were found to be right; a refused one leaves no trace.

        Raises:
            errors.UnknownHook: a hook is misspelt, lacks its mark or takes other arguments.
        """
        _check_hooks(name, plugin)
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:  # what pluggy knows of and we do not
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            raise errors.UnknownHook(str(error), plugin=name) from error

    def one(self, name: str, hook: str, **arguments: object) -> object:
        """Return what the *hook* of the plugin *name* returns, None where it has none."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        with _naming(name, hook):
            found = self._manager.subset_hook_caller(hook, others)(**arguments)
        return found[0] if found else None

    def many(self, name: str, hook: str, kind: type[T], **arguments: object) -> tuple[T, ...]:
        """Return the declarations that the *hook* of the plugin *name* returns, each of them a *kind*."""
        found = self.one(name, hook, **arguments)
        if not isinstance(found, Iterable | None):
            raise errors.InvalidDeclaration(
                f"its hook '{hook}' returned {found!r}; return an iterable of {_name(kind)}", plugin=name
            )
        with _naming(name, hook):  # a generator runs only now
            items = tuple(found or ())
        for item in items:
            if not isinstance(item, kind):
                raise errors.InvalidDeclaration(
                    f"its hook '{hook}' returned {item!r} among others; return only {_name(kind)}", plugin=name
                )
        return items

    def error_response(self, request: web.Request, error: Exception) -> web.StreamResponse | None:
        """Return the first answer that a plugin has for *error*, None when none has."""
        answer: web.StreamResponse | None = self._manager.hook.error_response(request=request, error=error)
        return answer

    def answers_errors(self) -> bool:
        """Return whether any plugin has the hook `error_response`."""
        return bool(self._manager.hook.error_response.get_hookimpls())

    def names(self, plugin: AnyPlugin) -> tuple[str, ...]:
        """Return the hooks that *plugin* has, for people to read."""
        return tuple(hook for hook in HOOKS if hasattr(getattr(plugin, hook), _IMPLEMENTATION))


@contextmanager
def _naming(name: str, hook: str) -> Iterator[None]:
    try:
        yield
    except errors.BootError:
        raise
    except Exception as error:
        raise errors.InvalidDeclaration(
            f"its hook '{hook}' raised {type(error).__name__}: {error}; a hook only returns declarations", plugin=name
        ) from error


def _check_hooks(name: str, plugin: AnyPlugin) -> None:
    for attribute, function in _functions(type(plugin)):
        marks = getattr(function, _IMPLEMENTATION, None)
        hook = (marks.get("specname") if marks else None) or attribute
        if hook in HOOKS:
            _check_one(name, hook, function, marked=marks is not None)
        elif marks is not None:
            close = difflib.get_close_matches(hook, HOOKS, n=1)
            remedy = f"did you mean '{close[0]}'?" if close else f"the hooks are: {', '.join(HOOKS)}"
            raise errors.UnknownHook(f"'{hook}' is not a hook; {remedy}", plugin=name)


def _functions(kind: type) -> Iterator[tuple[str, object]]:
    own = [base for base in kind.__mro__ if base not in Plugin.__mro__]
    for base in reversed(own):
        yield from vars(base).items()


def _check_one(name: str, hook: str, function: object, *, marked: bool) -> None:
    if not marked:
        raise errors.UnknownHook(f"its hook '{hook}' would never be called; mark it with @hookimpl", plugin=name)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise errors.UnknownHook(f"its hook '{hook}' is asynchronous; a hook returns at once (def)", plugin=name)
    expected = tuple(inspect.signature(getattr(Plugin, hook)).parameters)
    taken = tuple(inspect.signature(function).parameters) if callable(function) else ()
    if set(taken) - set(expected):
        raise errors.UnknownHook(
            f"its hook '{hook}' takes ({', '.join(taken)}); it is called with ({', '.join(expected)})", plugin=name
        )


def _name(kind: object) -> str:
    return getattr(kind, "__name__", None) or str(kind)
