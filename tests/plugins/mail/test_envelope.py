"""The envelope: what a message is over the wire, and what gets into no header."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

import msgspec
import pytest

from kernel import new_id
from kernel.contracts.mail import LONGEST_URL, Message, is_unsubscribe_url
from kernel.testing.contracts.mail.waiting import NO_URLS
from kernel.testing.deploying import Deploy
from kernel.testing.mailbox import Mailbox
from plugins.mail.envelope import Unsendable, compose
from tests.plugins.mail.asking import AskingPlugin, ask, message, rows

URL = "https://learn.example.org/unsubscribe?token=".ljust(300, "a")


def composed(asked: Message) -> EmailMessage:
    sender = Address("School", "noreply", "school.example")
    return compose(asked, mail_id=new_id(), sender=sender, time=datetime.now(UTC))


def header_lines(mail: EmailMessage) -> list[bytes]:
    return mail.as_bytes().partition(b"\r\n\r\n")[0].split(b"\r\n")


class MessageOfBefore(msgspec.Struct, frozen=True, kw_only=True):
    """The message as it was without HTML."""

    to: str
    subject: str
    text: str


def test_text_comes_first_and_html_last() -> None:
    """Programs show the last part that they can; nothing but these two is in it."""
    mail = composed(message(text="Grüße", html="<p>Grüße</p>"))

    parts = list(mail.iter_parts())

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content() for part in parts] == ["Grüße\n", "<p>Grüße</p>\n"]


def test_message_of_text_alone_has_no_parts() -> None:
    """And none of the headers for unsubscribing."""
    mail = composed(message())

    assert mail.get_content_type() == "text/plain"
    assert not [name for name in mail if name.startswith("List-")]


@pytest.mark.parametrize("url", [URL, URL.ljust(LONGEST_URL, "a"), "http://localhost:8080/x?a=b,c&d=%3E;e"])
def test_url_to_unsubscribe_stands_whole_on_one_line(url: str) -> None:
    """It is neither folded nor encoded, within what a line may have, and other parsers read what was meant."""
    mail = composed(message(unsubscribe=url))

    assert f"List-Unsubscribe: <{url}>".encode() in header_lines(mail)
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in header_lines(mail)
    assert max(len(line) for line in header_lines(mail)) <= 998
    parsed = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert parsed["List-Unsubscribe"] == f"<{url}>"


def test_long_subject_is_folded_as_ever() -> None:
    """Only the URL is left alone."""
    subject = "A rather long subject " * 10

    mail = composed(message(subject=subject.strip(), unsubscribe=URL))

    assert max(len(line) for line in header_lines(mail) if URL.encode() not in line) <= 78


@pytest.mark.parametrize("text", NO_URLS)
def test_what_is_no_url_gets_into_no_header(text: str) -> None:
    """The reason says what to give instead, and does not repeat what is secret."""
    assert not is_unsubscribe_url(text)
    with pytest.raises(Unsendable, match=r"'unsubscribe' is no URL .* give one of http or https") as caught:
        composed(message(unsubscribe=text))

    assert text not in str(caught.value)


def test_message_of_before_is_read() -> None:
    """It may have waited for an upgrade."""
    before = MessageOfBefore(to="ada@example.org", subject="Hello", text="Good morning.")

    assert msgspec.json.decode(msgspec.json.encode(before), type=Message) == message()


def test_provider_of_before_reads_what_it_knows() -> None:
    """It sends the text, and leaves out what it has never heard of."""
    asked = message(html="<p>Good morning.</p>", unsubscribe=URL)

    found = msgspec.json.decode(msgspec.json.encode(asked), type=MessageOfBefore)

    assert (found.to, found.subject, found.text) == (asked.to, asked.subject, asked.text)


async def test_mail_in_html_arrives_with_where_to_unsubscribe(deploy: Deploy, mailbox: Mailbox) -> None:
    """In any script, over a real connection."""
    deployment = await deploy("mail", plugins=[AskingPlugin])

    await ask(deployment, message(text="Größe\n.\n", html="<p>Größe</p>\n.\n", unsubscribe=URL))

    found = await mailbox.next(to="ada@example.org")
    assert (found.text, found.html, found.unsubscribe) == ("Größe\n.\n", "<p>Größe</p>\n.\n", URL)
    assert found.headers["List-Unsubscribe"] == f"<{URL}>"
    assert found.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.sqlite_only
async def test_mail_without_a_url_to_unsubscribe_fails_and_the_next_one_leaves(
    deploy: Deploy, mailbox: Mailbox
) -> None:
    """It is tried once, and its row says why without the address that somebody put in."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    await ask(deployment, message(unsubscribe="https://a.example/\r\nBcc: eve@example.org"))
    await ask(deployment, message(subject="Fine"))

    assert (await mailbox.next()).subject == "Fine"
    await deployment.settle()
    failed = (await rows(deployment))[0]
    assert (failed.state, failed.attempts, failed.sealed) == ("failed", 1, None)
    assert "'unsubscribe' is no URL" in (failed.last_error or "")
    assert "eve" not in (failed.last_error or "")
    assert [found.subject for found in mailbox.messages] == ["Fine"]
