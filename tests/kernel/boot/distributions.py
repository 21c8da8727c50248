"""Distributions installed for one test: real files, found as any other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from kernel.discovery import GROUP

HEADER = """
from kernel import *
from kernel import errors
"""


def install(folder: Path, distribution: str, plugins: Mapping[str, str], version: str = "1.0") -> None:
    """Put a distribution into *folder*, which is on `sys.path`; *plugins* maps names to the code of `class P`."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    lines = [f"[{GROUP}]"]
    for name, code in plugins.items():
        module = f"m{uuid4().hex}"
        (folder / f"{module}.py").write_text(HEADER + textwrap.dedent(code))
        lines.append(f"{name} = {module}:P")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def simple(name: str, **manifest: str) -> str:
    """Return the code of a plugin that does nothing."""
    rest = "".join(f", {key}={value}" for key, value in manifest.items())
    return f'class P(Plugin):\n    manifest = Manifest(name="{name}", version="1"{rest})\n'
