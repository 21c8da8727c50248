"""The official schema of AsyncAPI 3 documents, which lies in `asyncapi/`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import msgspec

SCHEMA: Final = Path(__file__).parent / "asyncapi" / "3.0.0.json"


def violations(document: Any) -> Sequence[str]:
    """Return what is wrong with *document*, each with where it stands."""
    errors = _validator().iter_errors(document)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in errors]


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(msgspec.json.decode(SCHEMA.read_bytes()))
