"""Fetching the distribution to be tried, into a folder of its own: what is installed stays as it is."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import importlib_metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kernel.discovery import GROUP, Catalogue

_PINNED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A distribution in a folder that a process can put first on its path."""

    folder: Path
    distribution: str
    version: str
    plugins: tuple[str, ...]  #: names of its entry points
    lacks: tuple[str, ...]  #: requirements that what is installed does not fulfil


@contextmanager
def fetched(wanted: str) -> Iterator[Fetched]:
    """Fetch NAME==VERSION, or what lies at a path, without what it depends on.

    Raises:
        click.ClickException: pip could not get it, or it ships no plugin.
    """
    with tempfile.TemporaryDirectory(prefix="lyceum-rehearsal-") as folder:
        _install(_specification(wanted), folder)
        (found,) = importlib_metadata.distributions(path=[folder])
        plugins = tuple(sorted(point.name for point in found.entry_points if point.group == GROUP))
        if not plugins:
            raise click.ClickException(f"{found.name} {found.version} has no entry point in the group {GROUP}")
        yield Fetched(
            folder=Path(folder),
            distribution=found.name,
            version=found.version,
            plugins=plugins,
            lacks=tuple(_lacking(found.requires or ())),
        )


def _specification(wanted: str) -> str:
    """Return what pip is asked for; the name of a plugin stands for that of its distribution."""
    pinned = _PINNED.fullmatch(wanted)
    if pinned is None:
        if not Path(wanted).exists():
            raise click.BadParameter(
                f"{wanted!r} is neither NAME==VERSION nor a path; write lyceum-earlybird==2.0 or ./lyceum-earlybird",
                param_hint="--upgrade",
            )
        return str(Path(wanted).absolute())  # pip takes a folder's bare name for a distribution of the index
    name, version = pinned.groups()
    catalogue = Catalogue.read()
    return f"{catalogue.any(name).distribution if name in catalogue else name}=={version}"


def _install(specification: str, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(  # noqa: S603  # what the operator names is what is to be installed
        [*command, "--no-deps", "--target", folder, specification], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise click.ClickException(f"pip could not get {specification}: {said[-1] if said else 'no reason given'}")


def _lacking(requirements: Iterable[str]) -> Iterator[str]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed = _version(requirement.name)
        if installed is None:
            yield f"it needs {requirement}, which is not installed"
        elif not requirement.specifier.contains(installed, prereleases=True):
            yield f"it needs {requirement}; installed is {installed}"


def _version(name: str) -> str | None:
    try:
        return str(importlib_metadata.version(canonicalize_name(name)))
    except importlib_metadata.PackageNotFoundError:
        return None
