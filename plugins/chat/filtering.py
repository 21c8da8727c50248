"""What the filters say of a message: one after another, each on what the one before has left."""

from __future__ import annotations

import asyncio

import msgspec

from kernel import Context
from kernel.contracts.chat import CHAT_FILTER, ChatFilter, Draft, Judgement, MessageRefused
from kernel.contracts.chat_socket import TEXT_LIMIT
from plugins.chat.settings import ChatSettings


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a message."""

    text: str
    held_for: str = ""  #: why it waits for approval; empty where it does not


class Filtering:
    """Asks every contributor to `chat_filter/1`."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx

    async def judge(self, draft: Draft) -> Verdict:
        """Return what the filters leave of *draft*; a filter that fails or takes too long holds it.

        Raises:
            MessageRefused: a filter drops it.
        """
        reasons: list[str] = []
        for name, chat_filter in self._ctx.services.named(CHAT_FILTER):
            judgement = await self._ask(name, chat_filter, draft)
            if judgement.action == "drop":
                raise MessageRefused(judgement.reason)
            if judgement.action == "hold":
                reasons.append(f"{name}: {judgement.reason}" if judgement.reason else name)
            if judgement.action == "redact":
                draft = msgspec.structs.replace(draft, text=_shortened(judgement.text))
        return Verdict(text=draft.text, held_for="; ".join(reasons))

    async def _ask(self, name: str, chat_filter: ChatFilter, draft: Draft) -> Judgement:
        try:
            async with asyncio.timeout(self._ctx.settings.filter_timeout):
                return await chat_filter.judge(draft)
        except Exception:
            self._ctx.log.exception("filter failed; the message is held", action="chat-filter", asked=name)
            return Judgement(action="hold", reason="the filter did not answer")


def _shortened(text: str) -> str:
    return (text.strip() or "…")[:TEXT_LIMIT]
