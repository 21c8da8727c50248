"""A third party's plugin that knows something of people, for tests: it can be made to fail."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any, ClassVar

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.personal_data import PERSONAL_DATA, Document, Kept, Receipt, Subject
from kernel.testing.deployment import Deployment


class Diary:
    """What the plugin knows of people."""

    def __init__(self) -> None:
        self.asked: list[Subject] = []
        self.broken = False
        self.reached = asyncio.Event()
        self.open = asyncio.Event()  #: until it is cleared, nobody waits
        self.open.set()

    async def export(self, subject: Subject) -> Any:
        if subject.email == "nobody":
            yield Document(name="page.txt", content=b"")

    async def erase(self, subject: Subject) -> Receipt:
        self.asked.append(subject)
        self.reached.set()
        await self.open.wait()
        if self.broken:
            raise RuntimeError(f"what {subject.email} wrote can not be found")
        return Receipt(erased=("your diary",), kept=(Kept(what="the cover", why="it is pretty"),))


class DiaryPlugin(Plugin):
    """Contributes a `Diary`."""

    manifest: ClassVar[Manifest] = Manifest(name="diary", version="1", provides=(PERSONAL_DATA,))

    @hookimpl
    def services(self, ctx: Context) -> tuple[Provide[Any], ...]:
        return (Provide(PERSONAL_DATA, lambda: nullcontext(Diary())),)


def diary_of(deployment: Deployment) -> Diary:
    """Return what the plugin of *deployment* knows."""
    found = dict(deployment.platform.services.named(PERSONAL_DATA))["diary"]
    assert isinstance(found, Diary)
    return found
