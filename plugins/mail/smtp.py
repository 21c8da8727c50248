"""The conversation with the SMTP server."""

from __future__ import annotations

from email.message import EmailMessage
from types import TracebackType
from typing import Self

import aiosmtplib

from kernel import errors
from plugins.mail.settings import MailSettings


class Postponed(errors.LyceumError):
    """The server can not take this mail now; try it again later."""


class Unreachable(Postponed):
    """The server can not be reached, or takes no mail at all; try every mail again later."""


class Refused(errors.LyceumError):
    """The server will never take the mail."""


class SmtpConnection:
    """One connection, opened with the first mail and kept for those that follow."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._smtp: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    async def send(self, mail: EmailMessage, to: str) -> None:
        """Hand *mail* over to the server, for the one address *to*.

        Raises:
            Refused: the server refused the recipient or the content for good (5xx).
            Postponed: it can not take the mail now (4xx).
            Unreachable: anything else, a wrong password included: mend it, and the mail leaves.
        """
        try:
            smtp = await self._connected()
            await smtp.send_message(mail, sender=self._settings.sender, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            self._drop()
            raise _refusal(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            self._drop()
            raise _refusal(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._smtp is None:
            smtp = _client(self._settings)
            await smtp.connect()
            self._smtp = smtp
        return self._smtp

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


def _client(settings: MailSettings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        timeout=settings.timeout,
        use_tls=settings.tls == "tls",
        start_tls=settings.tls == "starttls",
        cert_bundle=settings.ca_file,
        username=settings.username,
        password=settings.password.reveal() if settings.password else None,
    )


def _refusal(error: aiosmtplib.SMTPResponseException) -> errors.LyceumError:
    reason = f"{error.code} {error.message}"
    return Refused(reason) if 500 <= error.code < 600 else Postponed(reason)
