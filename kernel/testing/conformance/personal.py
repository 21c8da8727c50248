"""The rule for personal data: who stores anything of people says so, hands it out, and erases it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

import sqlalchemy as sa

from kernel.contracts.personal_data import PERSONAL_DATA, Document, PersonalData, Receipt
from kernel.contracts.personal_data import Subject as Person
from kernel.ids import new_id
from kernel.lifecycle import Platform
from kernel.members import Member
from kernel.testing.conformance.contents import Contents
from kernel.testing.conformance.verdicts import Finding, broken
from kernel.testing.samples import EMAIL, PERSON

#: Columns that hold something of people, as far as a name can tell.
NAMES: Final = frozenset(
    {
        *("account_id", "author_id", "instructor_id", "learner_id", "owner_id", "person_id", "student_id", "user_id"),
        *("actor", "created_by", "email", "mail", "phone", "recipient", "user"),
        *("display_name", "first_name", "full_name", "last_name", "name", "username"),
        *("birthday", "birth_date", "ip", "ip_address", "postal_address", "street"),
    }
)
#: In the `info` of a column whose name is misleading: `sa.Column("name", sa.Text, info={"personal": False})`.
INFO: Final = "personal"

STRANGER: Final = Person(user_id=new_id(), email="")
SOMEBODY: Final = Person(user_id=PERSON, email=EMAIL)


async def personal_data(platform: Platform, member: Member) -> AsyncIterator[Finding]:
    """Columns that look personal need a contribution, and the contribution has to do what it promises."""
    metadata = member.migrations.metadata if member.migrations else None
    contributed = dict(platform.services.named(PERSONAL_DATA)).get(member.name)
    if contributed is None:
        for column in _personal(metadata):
            yield broken(
                f"{column} looks like something of people; contribute to personal_data/1 (docs/personal-data.md), "
                'or give the column info={"personal": False}'
            )
        return
    try:
        async for finding in _promises(member, metadata, contributed):
            yield finding
    except Exception as error:
        yield broken(
            f"its personal_data/1 raised {type(error).__name__}: {error}; let it answer for whomever it is asked, "
            "known or not"
        )


def _personal(metadata: sa.MetaData | None) -> Iterator[str]:
    for table in metadata.tables.values() if metadata is not None else ():
        for column in table.columns:
            if column.info.get(INFO, column.name in NAMES):
                yield f"{table.name}.{column.name}"


async def _promises(member: Member, metadata: sa.MetaData | None, contributed: PersonalData) -> AsyncIterator[Finding]:
    db = member.equipped().database
    before = await Contents.read(db, metadata)
    if names := [document.name for document in await _exported(contributed, STRANGER)]:
        yield broken(
            f"it hands out {', '.join(names)} for somebody who was never here; yield only what is that person's"
        )
    _check_receipt(await contributed.erase(STRANGER))
    of_people = {column.partition(".")[0] for column in _personal(metadata)}
    if changed := before.losses(await Contents.read(db, metadata), of_people):
        yield broken(f"erasing somebody who was never here changes {', '.join(changed)}; touch that person's rows only")
    await _exported(contributed, SOMEBODY)
    first, second = await contributed.erase(SOMEBODY), await contributed.erase(SOMEBODY)
    _check_receipt(first)
    if first != second:
        yield broken(f"erasing twice gives two receipts ({first} and {second}); let the second say what the first said")
    if tables := (await Contents.read(db, metadata)).holding(EMAIL):
        yield broken(
            f"{', '.join(tables)} still holds the mail address of an erased person; erase it, or keep the id only"
        )


async def _exported(contributed: PersonalData, person: Person) -> list[Document]:
    documents = [document async for document in contributed.export(person)]
    for document in documents:
        if not isinstance(document, Document):
            raise TypeError(f"export yielded {document!r}, not a Document")
    return documents


def _check_receipt(receipt: Receipt) -> None:
    if not isinstance(receipt, Receipt):
        raise TypeError(f"erase returned {receipt!r}, not a Receipt")
