"""The mail that tells somebody what was erased of them, and what was kept and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernel.contracts.mail import Message
from plugins.privacy.erasures import Step


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
