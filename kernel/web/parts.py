"""What each running plugin gives to the site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from kernel.web.declarations import Navigation, PageDeclaration

KERNEL: Final = "kernel"  #: under this name the kernel gives templates and files of its own

D = TypeVar("D", bound=PageDeclaration)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one running plugin gives to the site."""

    plugin: str
    summary: str
    declarations: tuple[PageDeclaration, ...]


def declared(parts: Sequence[Part], kind: type[D]) -> Iterator[tuple[str, D]]:
    """Return each declaration of type *kind* with its plugin, in the order in which the plugins started."""
    for part in parts:
        for declaration in part.declarations:
            if isinstance(declaration, kind):
                yield part.plugin, declaration


def navigation(parts: Sequence[Part]) -> list[Navigation]:
    """Return the entries of the navigation, those of little weight first."""
    return sorted((entry for _, entry in declared(parts, Navigation)), key=lambda entry: (entry.weight, entry.label))
