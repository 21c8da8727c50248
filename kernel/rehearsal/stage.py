"""The stage: the process that has the new version on its path, told what to try by one JSON document."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from kernel import errors
from kernel.cli.console import Console
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.lifecycle import Platform
from kernel.rehearsal.portraits import Portrait, draw, draw_manifests
from kernel.rehearsal.trials import Trial, rehearse


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copied database, and the revision that it is at."""

    name: str  #: the plugin as the copy is called
    url: str
    revision: str


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tried."""

    config_files: tuple[str, ...]
    safe: bool
    plugins: tuple[str, ...]  #: those that are on
    copies: dict[str, Copy] = {}


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen."""

    portrait: Portrait
    trials: dict[str, Trial] = {}


def perform(piece: Piece, folder: Path) -> Performance:
    """Try *piece* in a process that finds what lies in *folder* before all that is installed.

    Raises:
        click.ClickException: the process did not live to tell.
    """
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kernel.rehearsal"],
        input=msgspec.json.encode(piece),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise click.ClickException(f"the rehearsal ended early: {said[-1] if said else f'exit code {done.returncode}'}")
    return msgspec.json.decode(done.stdout, type=Performance)


def play(piece: Piece) -> Performance:
    """Boot, draw and migrate the copies, in this process."""
    console = Console(config_files=tuple(map(Path, piece.config_files)), safe=piece.safe, quiet=True)
    try:
        platform = console.boot()
    except errors.BootError as error:
        return Performance(portrait=draw_manifests(piece.plugins, error))
    return Performance(portrait=draw(platform), trials=asyncio.run(_migrate(platform, piece.copies)))


async def _migrate(platform: Platform, copies: Mapping[str, Copy]) -> dict[str, Trial]:
    found = {}
    for name, copy in copies.items():
        member = platform.assembly.members.get(name)
        if member is not None and member.alive and member.migrations is not None:
            target = Target(
                plugin=copy.name,
                settings=DatabaseSettings(url=copy.url),
                metadata=member.migrations.metadata,
                revisions=member.migrations.revisions,
            )
            found[name] = await rehearse(target, copy.revision)
    return found
