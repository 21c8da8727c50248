"""What an erasure came to in one plugin, and the mail that tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kernel.contracts.mail import Message
from kernel.contracts.personal_data import Kept, Receipt
from plugins.privacy.erasures import Step

_BY_ADDRESS: Final = "what is found by your mail address alone and had not been erased before"
ADDRESS_TAKEN: Final = Kept(
    what=_BY_ADDRESS, why="the address is another account's by now, and so may be what it finds"
)
ADDRESS_FORGOTTEN: Final = Kept(what=_BY_ADDRESS, why="the address had been forgotten when this was erased")


def added(before: Receipt | None, now: Receipt) -> Receipt:
    """Return what both answers of one plugin come to: what was erased before stays erased."""
    former = before.erased if before else ()
    return Receipt(erased=tuple(dict.fromkeys((*former, *now.erased))), kept=now.kept)


def receipt_message(to: str, steps: Iterable[Step], *, deployment: str) -> Message:
    """Return the mail; after it nobody here knows the address any more."""
    return Message(
        to=to,
        subject=f"What {deployment} kept of you was erased",
        text=f"Your account at {deployment} is closed. This came of the erasure:\n\n"
        + "\n".join(line for step in steps for line in _lines(step))
        + "\n\nThis mail is the last one: your address is erased once it has left.\n",
    )


def _lines(step: Step) -> Iterator[str]:
    if step.receipt is None:
        yield f"- {step.plugin}: is switched off; erased as soon as it is on again"
        return
    for erased in step.receipt.erased:
        yield f"- {step.plugin}: erased {erased}"
    for kept in step.receipt.kept:
        yield f"- {step.plugin}: kept {kept.what}, because {kept.why}"
