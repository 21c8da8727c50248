"""The mails that auth asks for."""

from __future__ import annotations

from kernel import Context
from kernel.contracts import mail
from kernel.contracts.mail import MailRequested, Message
from plugins.auth.settings import AuthSettings


def code_message(to: str, code: str, *, deployment: str, minutes: int) -> Message:
    """Return the mail with a sign-in code; the code is no part of the subject, which servers may log."""
    return Message(
        to=to,
        subject=f"Your sign-in code for {deployment}",
        text=(
            f"Your code to sign in to {deployment}:\n\n    {code}\n\n"
            f"It is good for {minutes} minutes and for one sign-in. Give it to nobody.\n"
            "If you did not ask for it, you need do nothing: nobody can sign in without it.\n"
        ),
    )


def reuse_message(to: str, *, deployment: str) -> Message:
    """Return the mail that tells of a session which ended because its refresh token came twice."""
    return Message(
        to=to,
        subject=f"One of your sign-ins to {deployment} was ended",
        text=(
            f"Somebody used an old token of one of your sign-ins to {deployment}. It may have been copied, so that\n"
            "sign-in has ended everywhere. Sign in again; if this happens once more, check your devices.\n"
        ),
    )


def requested(ctx: Context[AuthSettings], message: Message) -> MailRequested:
    """Return the event that asks for *message*, which nobody but the mail plugin can read."""
    return mail.requested(ctx.secrets, message)
