"""Erasures as the database has them.

    asked → erasing → mailing → confirming → done
      ↓        ↑                    ↓
    refused    └───── waiting ──────┘

`erasing` asks every plugin once. `mailing` waits until the receipt has left, because the address goes with it: some
days, then it is asked for once more, and after as many days given up.
`confirming` asks all of them once more, a minute later: what was under way at the first time has arrived by then. After
that the files of each are scrubbed, once, and last those that hold the address.
`waiting` is for plugins that are off; when they are on again, it begins anew with them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel.contracts.personal_data import Receipt
from kernel.database import Command, Query, Timestamp
from plugins.privacy.tables import contributors, erasure_steps, erasures

ASKED: Final = "asked"
REFUSED: Final = "refused"
ERASING: Final = "erasing"
MAILING: Final = "mailing"
CONFIRMING: Final = "confirming"
WAITING: Final = "waiting"
DONE: Final = "done"

#: Of a step.
UNANSWERED: Final = "unanswered"
ANSWERED: Final = "answered"
CONFIRMED: Final = "confirmed"


class Erasure(msgspec.Struct, frozen=True):
    """What is known of one."""

    id: UUID
    user_id: UUID
    state: str
    sealed_email: str | None
    created_at: datetime
    again_at: datetime | None
    receipt_id: UUID | None
    mails: int
    unsent_at: datetime | None
    done_at: datetime | None


class Step(msgspec.Struct, frozen=True):
    """One plugin's part in an erasure."""

    plugin: str
    state: str
    attempts: int
    next_at: datetime
    last_error: str | None
    receipt: Receipt | None
    answered_at: datetime | None


_COLUMNS: Final = tuple(erasures.c[name] for name in Erasure.__struct_fields__)
_NOW: Final = bindparam("now", type_=Timestamp())
_UNTIL: Final = bindparam("until", type_=Timestamp())
_THIS: Final = erasures.c.id == bindparam("erasure")
_STEPS: Final = erasure_steps.c.erasure_id == bindparam("erasure")
_STEP: Final = sa.and_(_STEPS, erasure_steps.c.plugin == bindparam("of_plugin"))

_ASK: Final = insert(erasures).values(
    {name: bindparam(name) for name in ("id", "user_id", "sealed_email")}
    | {"state": ASKED, "created_at": _NOW, "next_at": _UNTIL}
)
#: Returns nothing where an erasure of the person is under way or done.
ASK: Final = Query(
    _ASK.on_conflict_do_update(
        index_elements=["user_id"],
        set_={name: _ASK.excluded[name] for name in ("state", "sealed_email", "created_at", "next_at")},
        where=erasures.c.state == REFUSED,
    ).returning(*_COLUMNS),
    Erasure,
)
OF_PERSON: Final = Query(sa.select(*_COLUMNS).where(erasures.c.user_id == bindparam("person")), Erasure)
ONE: Final = Query(sa.select(*_COLUMNS).where(_THIS), Erasure)
STEPS: Final = Query(
    sa.select(*(erasure_steps.c[name] for name in Step.__struct_fields__)).where(_STEPS).order_by("plugin"), Step
)

_DUE: Final = (
    sa.select(erasures.c.id)
    .where(erasures.c.next_at <= _NOW)
    .order_by(erasures.c.next_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
#: For this process until the claim ends; should that be too early, two do what may be done twice.
CLAIM: Final = Query(
    sa.update(erasures)
    .where(erasures.c.id == _DUE, erasures.c.next_at <= _NOW)
    .values(next_at=_UNTIL)
    .returning(*_COLUMNS),
    Erasure,
)
#: While it is where it was claimed.
PUT_OFF: Final = Command(
    sa.update(erasures).where(_THIS, erasures.c.state == bindparam("before")).values(next_at=_UNTIL)
)
#: From one state to another, once.
MOVE: Final = Command(
    sa.update(erasures)
    .where(_THIS, erasures.c.state == bindparam("before"))
    .values(state=bindparam("after"), next_at=_UNTIL, again_at=bindparam("again"), receipt_id=bindparam("mail"))
)
#: To waiting for a mail, which is the first one or takes the place of the one that does not leave, once.
AWAIT: Final = Command(
    sa.update(erasures)
    .where(_THIS, erasures.c.state == bindparam("before"), erasures.c.mails == bindparam("asked_for"))
    .values(
        state=MAILING,
        next_at=_UNTIL,
        again_at=bindparam("again"),
        receipt_id=bindparam("mail"),
        mails=erasures.c.mails + 1,
    )
)
#: Goes on without the receipt, which nobody will get.
GIVE_UP_MAIL: Final = Command(
    sa.update(erasures)
    .where(_THIS, erasures.c.state == bindparam("before"))
    .values(state=CONFIRMING, next_at=_UNTIL, unsent_at=_NOW)
)
FORGET_ADDRESS: Final = Command(sa.update(erasures).where(_THIS).values(sealed_email=sa.null()))
END: Final = Command(
    sa.update(erasures)
    .where(_THIS, erasures.c.state == bindparam("before"))
    .values(state=bindparam("after"), next_at=sa.null(), sealed_email=sa.null(), done_at=bindparam("ended"))
)
#: Of those that wait for plugins that are off, and, later, of those that come to no end for another reason.
FORGET_ADDRESSES: Final = Command(
    sa.update(erasures)
    .where(
        sa.or_(
            sa.and_(erasures.c.state == WAITING, erasures.c.created_at < bindparam("before")),
            sa.and_(
                erasures.c.state.in_((ERASING, MAILING, CONFIRMING)), erasures.c.created_at < bindparam("long_before")
            ),
        ),
        erasures.c.sealed_email.is_not(None),
    )
    .values(sealed_email=sa.null())
)
#: Erasures that wait for a plugin that is on again.
_WAITS_FOR: Final = sa.exists().where(
    erasure_steps.c.erasure_id == erasures.c.id,
    erasure_steps.c.state != CONFIRMED,
    erasure_steps.c.plugin.in_(bindparam("plugins", expanding=True)),
)
RESUME: Final = Command(
    sa.update(erasures).where(erasures.c.state == WAITING, _WAITS_FOR).values(state=ERASING, next_at=_NOW)
)

#: A step for each plugin that is known and has none yet.
ADD_STEPS: Final = Command(
    insert(erasure_steps)
    .from_select(
        ["erasure_id", "plugin", "state", "attempts", "next_at"],
        sa.select(
            bindparam("erasure", type_=sa.Uuid()),
            contributors.c.plugin,
            sa.literal_column(f"'{UNANSWERED}'"),
            sa.literal_column("0"),
            _NOW,
        ).where(sa.true()),  # SQLite could not tell the conflict clause from a join's without it
    )
    .on_conflict_do_nothing()
)
ANSWER: Final = Command(
    sa.update(erasure_steps)
    .where(_STEP)
    .values(state=bindparam("new_state"), attempts=0, last_error=sa.null(), receipt=bindparam("told"), answered_at=_NOW)
)
FAIL: Final = Command(
    sa.update(erasure_steps)
    .where(_STEP)
    .values(attempts=bindparam("made"), next_at=_UNTIL, last_error=bindparam("reason"))
)
#: Has everybody who has answered, and is not gone for good, answer once more.
ASK_AGAIN: Final = Command(
    sa.update(erasure_steps)
    .where(_STEPS, erasure_steps.c.state == CONFIRMED, erasure_steps.c.plugin.in_(sa.select(contributors.c.plugin)))
    .values(state=ANSWERED, next_at=_NOW)
)

#: For a plugin that will never be on again: what it answered stands, and what it did not is not waited for.
SETTLE_STEPS: Final = Command(
    sa.update(erasure_steps)
    .where(erasure_steps.c.plugin == bindparam("of_plugin"), erasure_steps.c.state == ANSWERED)
    .values(state=CONFIRMED)
)
FORGET_STEPS: Final = Command(
    sa.delete(erasure_steps).where(
        erasure_steps.c.plugin == bindparam("of_plugin"), erasure_steps.c.state == UNANSWERED
    )
)
RESUME_ALL: Final = Command(sa.update(erasures).where(erasures.c.state == WAITING).values(state=ERASING, next_at=_NOW))
