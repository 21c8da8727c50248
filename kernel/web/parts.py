"""What each running plugin gives to the site, and who may see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from kernel.http.identity import Principal
from kernel.http.routes import PUBLIC, SIGNED_IN
from kernel.web.declarations import PageDeclaration

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


def permits(caller: Principal | None, permission: str) -> bool:
    """Return whether *caller* may see what asks for *permission*."""
    if permission == PUBLIC:
        return True
    return caller is not None and (permission == SIGNED_IN or permission in caller.permissions)
