"""The proof: a person who did everything is found in no store any more, and everybody else is untouched."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Final

from structlog.testing import capture_logs

from kernel.testing.deploying import Deploy
from plugins.payments.chain import Seal
from plugins.payments.verify import Progress, verify
from tests.plugins.privacy.stores import places_of, rows_of
from tests.plugins.privacy.story import (
    API,
    EMAIL,
    GRANT_REASON,
    ONE_TRY,
    PLUGINS,
    PROFILE,
    REFUND_REASON,
    VALUES,
    WORDS,
    Grumbler,
    ask_erasure,
    carried_on,
    exported,
    settle,
    tell,
)

#: Where the words of a refund stay: the books may not be changed.
BOOKS: Final = {"payments.transfers.reason", "payments.refunds.reason"}
#: Where the words of every act stay: the log of acts may not be changed; and, for a month, in the events that told it.
ACTS: Final = {"audit.acts.reason", "audit.inbox.data", "enrollments.outbox.data"}
FILES: Final = {"payments.sqlite3", "audit.sqlite3", "enrollments.sqlite3"}


async def test_nothing_of_an_erased_person_is_found_in_any_store(deploy: Deploy) -> None:
    """Every table, file, stream and log line; what is left are numbers, and the words of the books and of acts."""
    story = await tell(deploy)
    deployment = story.deployment
    before = await places_of(deployment, (*VALUES, *WORDS))
    others = await rows_of(deployment, story.bystander.user)
    dead = await deployment.platform.events.administration.dead("grumbler")
    assert all(before.values()), {value for value, places in before.items() if not places}

    asked = await ask_erasure(story.person)
    done = await carried_on(deployment, asked["id"], "done")
    await settle(deployment)
    with capture_logs() as lines:
        await deployment.restart(*PLUGINS, plugins=[Grumbler], sections=ONE_TRY)
        await deployment.platform.events.administration.retry()
        await settle(deployment)

    places = await places_of(deployment, VALUES)
    words = await places_of(deployment, WORDS)
    assert places == {value: set() for value in VALUES}
    assert words[REFUND_REASON] - FILES == BOOKS | ACTS
    assert words[GRANT_REASON] - FILES == ACTS
    assert not [value for value in VALUES if value.lower() in str(lines).lower()]
    assert dead
    assert {step["plugin"] for step in done["steps"]} >= {*PLUGINS, "grumbler"}
    assert await rows_of(deployment, story.bystander.user) == others


async def test_the_books_agree_and_the_course_is_taught_after_an_erasure(deploy: Deploy) -> None:
    """Money stays where it was, under a number; the course stays, without a name."""
    story = await tell(deploy)
    deployment = story.deployment
    wallet = f"{API}/payments/wallets/{story.user}"
    before = await story.administrator.call("GET", wallet)

    asked = await ask_erasure(story.person)
    await carried_on(deployment, asked["id"], "done")

    payments = deployment.platform.context("payments")
    assert [fault async for fault in verify(payments.db, Seal(payments.secrets), Progress())] == []
    assert await story.administrator.call("GET", wallet) == before
    course = await story.bystander.call("GET", f"{API}/courses/{story.course}")
    assert course["instructors"] == [{"id": str(story.user), "name": ""}]


async def test_an_export_holds_everything_that_is_kept_of_the_person(deploy: Deploy) -> None:
    """Each value that an erasure has to find, in the folder of a plugin; and nothing of anybody else."""
    story = await tell(deploy)

    archive = zipfile.ZipFile(io.BytesIO(await exported(story.deployment, story.person)))

    texts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(texts.values())
    assert [value for value in (*VALUES, *WORDS) if value.lower() not in everything.lower()] == []
    assert all(word in texts["audit/acts-1.json"] for word in WORDS)
    assert "Bystander Stays" not in everything
    assert json.loads(texts["users/profile.json"])["biography"] == PROFILE["biography"]
    manifest = json.loads(texts["manifest.json"])
    assert (manifest["email"], manifest["user_id"]) == (EMAIL, str(story.user))
    assert manifest["plugins"].keys() == {*PLUGINS, "grumbler"}
    listed = {f"{plugin}/{file}" for plugin, told in manifest["plugins"].items() for file in told["files"]}
    assert listed == texts.keys() - {"manifest.json"}
