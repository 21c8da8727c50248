"""The index of cases, `cases.toml`: each has tests, and they are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.nodes import exists

FOLDER = Path(__file__).parent
CASES: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "cases.toml").read_text(encoding="utf-8"))


def test_every_case_has_tests_that_there_are() -> None:
    """Whoever renames a test renames it here."""
    assert {name: test for name, case in CASES.items() for test in case["tests"] if not exists(test)} == {}
    assert [name for name, case in CASES.items() if not case["tests"] or not case["case"]] == []


def test_every_case_that_a_test_names_is_in_the_index() -> None:
    """And leads back to that file."""
    for file in sorted(FOLDER.glob("test_*.py")):
        for name in set(re.findall(r'"""(A\d\d)\b', file.read_text(encoding="utf-8"))):
            files = {test.partition("::")[0] for test in CASES.get(name, {"tests": []})["tests"]}
            assert f"tests/faults/{file.name}" in files, f"{file.name} has a test of {name}; list it in cases.toml"
