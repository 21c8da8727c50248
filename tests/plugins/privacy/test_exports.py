"""Exports: whose they are, how long they are there, and what happens when a plugin fails."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any, ClassVar, Final

import pytest
import sqlalchemy as sa

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.personal_data import PERSONAL_DATA, Document, Receipt, Subject
from kernel.database import Query
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.privacy.archive import PIECE, Archive, BadName
from plugins.privacy.exporting import ATTEMPTS, Exporting
from plugins.privacy.tables import export_chunks
from tests.plugins.privacy.story import API, EMAIL, ask_erasure, carried_on, exported

FEW: Final = ("auth", "mail", "privacy", "users")
EXPORTS: Final = f"{API}/privacy/exports"
CHUNKS: Final = Query(sa.select(export_chunks.c.sealed), str)


class Album:
    """Hands out more than one piece of an archive, unless it is broken."""

    def __init__(self) -> None:
        self.broken = False

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        yield Document(name="pictures/noise.bin", content=os.urandom(3 * PIECE))
        if self.broken:
            raise RuntimeError(f"no picture of {subject.email}")
        yield Document(name="captions.txt", content=b"all of them")

    async def erase(self, subject: Subject) -> Receipt:
        return Receipt()


class AlbumPlugin(Plugin):
    """Contributes an `Album`."""

    manifest: ClassVar[Manifest] = Manifest(name="album", version="1", provides=(PERSONAL_DATA,))

    @hookimpl
    def services(self, ctx: Context) -> tuple[Provide[Any], ...]:
        return (Provide(PERSONAL_DATA, lambda: nullcontext(Album())),)


def album_of(deployment: Deployment) -> Album:
    found = dict(deployment.platform.services.named(PERSONAL_DATA))["album"]
    assert isinstance(found, Album)
    return found


async def test_archive_is_stored_sealed_and_read_whole(deploy: Deploy) -> None:
    """In several pieces, of which none can be read without the deployment's secret."""
    deployment = await deploy(*FEW, plugins=[AlbumPlugin])
    person = await deployment.sign_in(EMAIL)

    archive = zipfile.ZipFile(io.BytesIO(await exported(deployment, person)))

    chunks = await deployment.platform.context("privacy").db.all(CHUNKS)
    assert len(chunks) > 2
    assert all(chunk.startswith("gAAAAA") for chunk in chunks)
    assert archive.testzip() is None
    assert archive.read("album/captions.txt") == b"all of them"
    assert EMAIL in archive.read("auth/account.json").decode()


async def test_plugin_that_is_off_is_named_in_the_manifest(deploy: Deploy) -> None:
    """So that nobody takes the copy for all that there is."""
    deployment = await deploy(*FEW, plugins=[AlbumPlugin])
    person = await deployment.sign_in(EMAIL)
    await exported(deployment, person)
    await deployment.restart(*FEW)

    archive = zipfile.ZipFile(io.BytesIO(await exported(deployment, person)))

    assert json.loads(archive.read("manifest.json"))["switched_off"] == ["album"]


async def test_export_is_its_owners_alone(deploy: Deploy) -> None:
    """To everybody else, administrators included, it is not there."""
    deployment = await deploy(*FEW)
    person, other = await deployment.sign_in(EMAIL), await deployment.sign_in("other@faraway.test", roles=["admin"])
    await exported(deployment, person)

    (mine,) = (await person.call("GET", EXPORTS))["items"]

    assert (await other.call("GET", EXPORTS))["items"] == []
    await other.call("GET", f"{EXPORTS}/{mine['id']}", expect=404)
    await other.call("GET", f"{EXPORTS}/{mine['id']}/archive", expect=404)


async def test_export_is_deleted_after_its_days(deploy: Deploy) -> None:
    """It can not be fetched any more, and nothing of it is stored."""
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)
    await exported(deployment, person)
    (made,) = (await person.call("GET", EXPORTS))["items"]

    deployment.clock.advance(7 * 86400 + 1)
    await deployment.platform.context("privacy").own(Exporting).run()

    again = await deployment.sign_in(EMAIL)
    await again.call("GET", f"{EXPORTS}/{made['id']}/archive", expect=404)
    assert await deployment.platform.context("privacy").db.all(CHUNKS) == []


async def test_one_export_is_made_at_a_time_and_few_a_day(deploy: Deploy) -> None:
    """Who asks again while one is in the making gets that one; the fourth wish of a day is refused."""
    deployment = await deploy(*FEW, plugins=[AlbumPlugin])
    album_of(deployment).broken = True
    person = await deployment.sign_in(EMAIL)

    wishes = [await person.call("POST", EXPORTS, expect=202) for _ in range(3)]

    assert len({wish["id"] for wish in wishes}) == 1
    await person.call("POST", EXPORTS, expect=429)


async def test_plugin_that_fails_fails_the_export_which_is_tried_again(deploy: Deploy) -> None:
    """Nothing of a part can be fetched; the reason names the plugin and says nothing of the person."""
    deployment = await deploy(*FEW, plugins=[AlbumPlugin])
    person, exporting = await deployment.sign_in(EMAIL), deployment.platform.context("privacy").own(Exporting)
    album_of(deployment).broken = True

    asked = await person.call("POST", EXPORTS, expect=202)
    path = f"{EXPORTS}/{asked['id']}"
    while not (failing := await person.call("GET", path))["reason"]:
        await exporting.run()

    assert (failing["state"], failing["reason"]) == ("waiting", "album: RuntimeError")
    await person.call("GET", f"{path}/archive", expect=404)
    assert await deployment.platform.context("privacy").db.all(CHUNKS) == []
    album_of(deployment).broken = False
    deployment.clock.advance(60)
    while (await person.call("GET", path))["state"] != "ready":
        await exporting.run()


async def test_export_that_can_not_be_made_is_given_up(deploy: Deploy) -> None:
    """After some attempts, and the person sees it."""
    deployment = await deploy(*FEW, plugins=[AlbumPlugin])
    person, exporting = await deployment.sign_in(EMAIL), deployment.platform.context("privacy").own(Exporting)
    album_of(deployment).broken = True

    asked = await person.call("POST", EXPORTS, expect=202)
    for _ in range(ATTEMPTS + 1):
        await asyncio.sleep(0.1)
        await exporting.run()
        deployment.clock.advance(900)

    person = await deployment.sign_in(EMAIL)
    assert (await person.call("GET", f"{EXPORTS}/{asked['id']}"))["state"] == "failed"


async def test_exports_are_erased_with_the_person(deploy: Deploy) -> None:
    """Those that are ready and those in the making."""
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)
    await exported(deployment, person)
    await person.call("POST", EXPORTS, expect=202)

    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "done")
    await deployment.platform.context("privacy").own(Exporting).run()

    assert await deployment.platform.context("privacy").db.all(CHUNKS) == []


@pytest.mark.parametrize("name", ["../users/profile.json", "/etc/passwd", "a/../../b", "a\\..\\b", ""])
async def test_document_does_not_leave_its_folder(name: str) -> None:
    """Whoever unpacks the archive gets each plugin's files in its folder and nowhere else."""

    async def keep(piece: bytes) -> None:
        pass

    with pytest.raises(BadName):
        await Archive(keep).add("album", name, b"")


async def test_archive_of_any_size_is_kept_piece_by_piece() -> None:
    """No piece is larger than it may be, and together they are the archive."""
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    archive = Archive(keep)
    for number in range(40):
        await archive.add("album", f"{number}.bin", os.urandom(PIECE // 10))
    await archive.close()

    assert max(map(len, pieces)) <= PIECE
    assert len(pieces) > 3
    assert len(zipfile.ZipFile(io.BytesIO(b"".join(pieces))).namelist()) == 40
