"""`search/1`: what can be found, and `searchable/1`: what there is to be found.

Whoever has something to be found contributes `searchable/1`, by *subjects*: what changes together, such as a course
with its lessons. That a subject changed is told by the events of its capability, or by `SubjectChanged`; the search
then asks for the subject's documents and puts them in the place of those it had. So nothing depends on the order of
events, and a rebuild is no more than the change of every subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Principal
from kernel.capabilities import Capability, Contribution

Sort = Literal["relevance", "rating", "newest", "price"]
Facet = Literal["kind", "category", "level", "language"]
Values = Annotated[tuple[str, ...], msgspec.Meta(max_length=20)]

#: In `Document.readers`: everybody, whether signed in or not.
EVERYBODY: Final = "everybody"
LONGEST_QUERY: Final = 200  # characters


def person(user_id: UUID) -> str:
    """Return the reader that is one person."""
    return f"person:{user_id}"


def permitted(permission: str) -> str:
    """Return the reader that is whoever has the permission."""
    return f"permission:{permission}"


class Teacher(msgspec.Struct, frozen=True, kw_only=True):
    """Who teaches what was found."""

    id: UUID
    name: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of something that was found: nothing that not every reader of it may see."""

    id: UUID
    kind: str  #: `course`, `lesson`, `instructor`, or what a plugin calls its own
    title: str
    path: str  #: of its page or its HTTP resource, from the root of the deployment
    summary: str = ""
    code: str = ""  #: such as `CS-101`
    language: str = ""  #: BCP 47
    category: str = ""
    level: str = ""
    price: int | None = None  #: minor units of *currency*
    currency: str = ""
    rating: float | None = None  #: 1 to 5, None while nobody rated it
    duration_seconds: int | None = None
    instructors: tuple[Teacher, ...] = ()
    published_at: datetime | None = None


class Document(Found, frozen=True, kw_only=True):
    """Something that can be found, as its source tells it."""

    readers: tuple[str, ...]  #: who may find it: `EVERYBODY`, `person(…)` or `permitted(…)`; any one is enough
    text: str = ""  #: found by, never shown; only what each of the readers may read
    words: tuple[str, ...] = ()  #: further words it is found by, such as tags


class SubjectChanged(Event, frozen=True, kw_only=True):
    """A subject of `searchable/1` is another now, and no other event says so."""

    name: ClassVar[str] = "search.subject_changed.v1"
    key: ClassVar[str] = "subject_id"
    kind: str  #: of the subject
    subject_id: UUID


class Searchable(Protocol):
    """Tells what there is to be found, from its own database."""

    @property
    def kind(self) -> str:
        """The kind of the subjects, such as `course`; no two contributors have the same."""
        ...

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        """Return the present documents of those of *subjects* that have any, in one query."""
        ...

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        """Return up to *limit* subjects in ascending order, those behind *after*; none at the end."""
        ...


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for beside the words; of several values of one filter any is enough."""

    kind: Values = ()
    category: Values = ()
    level: Values = ()
    language: Values = ()
    instructor: UUID | None = None
    max_price: int | None = None  #: minor units; what has no price is left out
    min_rating: float | None = None
    max_duration_seconds: int | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks for; without words everything, the best first."""

    text: str = ""
    filters: Filters = Filters()
    sort: Sort = "relevance"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    after: tuple[int, int] | None = None  #: the `next` of the page before
    explain: bool = False


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """What one word of the query brought a hit."""

    word: str  #: of the query
    terms: tuple[str, ...]  #: of the index, for which the word stood
    points: int  #: 0 where it was not matched


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was found."""

    found: Found
    points: int
    #: where the query asked for it: adds up to *points*; the exact name, and having all words, are words of their own
    why: tuple[Reason, ...] = ()


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many there would be with this value of a filter, all others as they are."""

    value: str
    count: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was found."""

    hits: tuple[Hit, ...]
    next: tuple[int, int] | None
    total: int
    exact: bool  #: whether *total*, the counts and the order are of all matches; else of the best thousands
    counts: Mapping[str, tuple[Count, ...]]  #: facet → values, the most frequent first
    corrected: Mapping[str, tuple[str, ...]]  #: word of the query that nothing has → what was looked for instead


class Search(Protocol):
    """Finds. Nobody is shown, counted or suggested anything of what they may not find."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        """Return a page of what *caller* may find. What is called exactly like the query comes first."""
        ...

    async def suggest(self, caller: Principal | None, text: str, limit: int) -> Sequence[Found]:
        """Return what somebody may mean who has typed *text* so far, the best first."""
        ...


SEARCH: Final[Capability[Search]] = Capability("search", 1)
SEARCHABLE: Final[Contribution[Searchable]] = Contribution("searchable", 1)
