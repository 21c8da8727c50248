"""What server processes need around them for as long as several tests: a mail server and a proxy before Valkey.

Both run on a loop of their own in a thread, since each test has its own loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from kernel.testing.mailbox import Mailbox, ReceivedMail, receiving
from kernel.testing.proxy import Proxy, proxying

T = TypeVar("T")


class Backstage:
    """A mail server and a proxy, used from any loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, mailbox: Mailbox, redis: Proxy) -> None:
        self._loop = loop
        self._mailbox = mailbox
        self._redis = redis
        self.smtp_port = mailbox.port
        self.redis_port = redis.port

    async def mail(self, to: str) -> ReceivedMail:
        """Return the next mail to *to*."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._mailbox.next(to), self._loop))

    @contextmanager
    def redis_away(self) -> Iterator[None]:
        """Let Redis hear and say nothing while the block runs: connections stay, commands are not answered."""
        self._loop.call_soon_threadsafe(self._redis.silent)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._redis.passing)


@contextmanager
def backstage(redis_socket: str) -> Iterator[Backstage]:
    """Run the mail server and the proxy before the socket of a Valkey while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="backstage", daemon=True)
    thread.start()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    stack = AsyncExitStack()
    try:
        mailbox = wait(stack.enter_async_context(receiving()))
        proxy = wait(stack.enter_async_context(proxying(redis_socket)))
        yield Backstage(loop, mailbox, proxy)
    finally:
        wait(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
