"""What the judged catalogue is made of: categories, subjects, languages and people, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

_FOLDER: Final = Path(__file__).parent
#: Of the angles a title may take, those that are not for people who know the ground already.
_LEVELS: Final = {"introduction": "beginner", "beginners": "beginner", "steps": "beginner", "advanced": "advanced"}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is taught."""

    category: str
    alias: str  #: a short name, in the text of some courses only
    #: By language: its name, then what a course about it may dwell on.
    words: Mapping[str, tuple[str, ...]]

    def name(self, language: str) -> str:
        """Return what *language* calls it."""
        return self.words[language][0]

    def terms(self, language: str) -> tuple[str, ...]:
        """Return what a course about it may dwell on."""
        return self.words[language][1:]


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """How courses taught in a language speak of themselves."""

    courses: int  #: how many there are
    focus: str  #: the title of a course that dwells on one thing
    audience: tuple[str, ...]
    levels: Mapping[str, str]
    angles: Mapping[str, str]  #: titles of a course on the whole of a subject
    says: Mapping[str, str]
    remarks: tuple[str, ...]  #: what is said of any course, and tells nothing of it


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    categories: Mapping[str, Mapping[str, str]]  #: the prefix of codes under `code`, and a name in every language
    subjects: Mapping[str, Subject]
    languages: Mapping[str, Language]
    people: Mapping[str, tuple[str, ...]]  #: who teaches in a category


def read() -> Vocabulary:
    """Return the vocabulary of the judged catalogue."""
    vocabulary, languages = _toml("vocabulary"), msgspec.convert(_toml("languages"), dict[str, Language])
    return Vocabulary(
        categories=vocabulary["categories"],
        subjects={key: _subject(table, languages) for key, table in vocabulary["subjects"].items()},
        languages=languages,
        people=msgspec.convert(_toml("people"), dict[str, tuple[str, ...]]),
    )


def level_of(angle: str) -> str:
    """Return for whom a course with such a title is."""
    return _LEVELS.get(angle, "intermediate")


def _subject(table: Mapping[str, Any], languages: Mapping[str, Language]) -> Subject:
    words = {language: tuple(table[language]) for language in languages}
    return Subject(category=table["category"], alias=table["alias"], words=words)


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
