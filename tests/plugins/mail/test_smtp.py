"""The conversation with the server: encrypted, signed in, and with nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kernel import Secret, new_id
from plugins.mail.envelope import compose
from plugins.mail.settings import MailSettings
from plugins.mail.smtp import Postponed, Refused, SmtpConnection, Unreachable
from tests.plugins.mail.asking import message

PASSWORD = "open sesame"


@dataclass
class Server:
    """A server with a certificate, which wants a password."""

    port: int
    ca_file: str
    received: list[str]
    reply: str = "250 OK"
    recipient_reply: str = "250 OK"

    def settings(self, **more: Any) -> MailSettings:
        settings: dict[str, Any] = {
            "delivery": "smtp",
            "host": "localhost",
            "port": self.port,
            "ca_file": self.ca_file,
            "username": "school",
            "password": Secret(PASSWORD),
            "timeout": 5.0,
        }
        return MailSettings(**{**settings, **more})

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient_reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.reply.startswith("250"):
            self.received += envelope.rcpt_tos
        return self.reply


@contextlib.asynccontextmanager
async def serving(folder: Path, *, tls: bool) -> AsyncIterator[Server]:
    """Run the server: encrypted from the start, or after STARTTLS."""
    certificate = _certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    handler = Server(0, str(certificate), [])

    def protocol() -> SMTP:
        with warnings.catch_warnings():  # aiosmtpd warns of a password in clear: it does not see the TLS around it
            warnings.simplefilter("ignore")
            return SMTP(
                handler,
                loop=asyncio.get_running_loop(),
                authenticator=_authenticate,
                auth_required=True,
                auth_require_tls=not tls,
                tls_context=None if tls else context,
                require_starttls=not tls,
            )

    server = await asyncio.get_running_loop().create_server(protocol, "localhost", 0, ssl=context if tls else None)
    handler.port = server.sockets[0].getsockname()[1]
    async with server:
        yield handler


async def send(settings: MailSettings, to: str = "ada@example.org") -> None:
    mail = compose(
        message(to=to),
        mail_id=new_id(),
        sender=Address("School", addr_spec="noreply@school.example"),
        time=datetime.now(UTC),
    )
    async with SmtpConnection(settings) as connection:
        await connection.send(mail, to)


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_mail_goes_encrypted_and_signed_in(tmp_path: Path, tls: str) -> None:
    """From the start or after STARTTLS."""
    async with serving(tmp_path, tls=tls == "tls") as server:
        await send(server.settings(tls=tls))

        assert server.received == ["ada@example.org"]


async def test_mail_does_not_go_to_a_server_that_can_not_prove_its_name(tmp_path: Path) -> None:
    """A certificate that nobody trusts makes it unreachable; the password is not said."""
    async with serving(tmp_path, tls=False) as server:
        with pytest.raises(Unreachable):
            await send(server.settings(ca_file=None))

        assert server.received == []


async def test_mail_waits_while_the_password_is_wrong(tmp_path: Path) -> None:
    """It is our mistake and not the mail's: mended, the mail leaves."""
    async with serving(tmp_path, tls=False) as server:
        with pytest.raises(Unreachable, match="535"):
            await send(server.settings(password=Secret("wrong")))


@pytest.mark.parametrize(("reply", "error"), [("550 unknown", Refused), ("452 full", Postponed)])
async def test_refused_recipient_decides_about_this_mail_only(
    tmp_path: Path, reply: str, error: type[Exception]
) -> None:
    """5xx for good, 4xx for now; in neither case is the server unreachable."""
    async with serving(tmp_path, tls=False) as server:
        server.recipient_reply = reply
        with pytest.raises(error) as caught:
            await send(server.settings())

        assert not isinstance(caught.value, Unreachable)
        assert reply[:3] in str(caught.value)


async def test_connection_that_broke_is_opened_again(tmp_path: Path) -> None:
    """A refusal does not spoil the mails that follow on the same connection."""
    async with serving(tmp_path, tls=False) as server, SmtpConnection(server.settings()) as connection:
        mail = compose(
            message(), mail_id=new_id(), sender=Address("", addr_spec="a@school.example"), time=datetime.now(UTC)
        )
        server.reply = "554 no"
        with pytest.raises(Refused):
            await connection.send(mail, "ada@example.org")
        server.reply = "250 OK"
        await connection.send(mail, "bob@example.org")
        await connection.send(mail, "eve@example.org")

        assert server.received == ["bob@example.org", "eve@example.org"]


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"school", PASSWORD.encode()), handled=False)


def _certificate(folder: Path) -> Path:
    """Write a certificate for this machine with its key, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file
