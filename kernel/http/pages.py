"""Pages: the one way in which every list of every plugin is read.

A list takes `?limit=&cursor=` and answers `{"items": […], "next": "…"}` with a `Link` header. The cursor holds
the sort key of the last item (keyset), so a page costs the same however deep it lies, and rows added meanwhile
neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

from kernel.http import problems

T = TypeVar("T")
K = TypeVar("K")


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query string of a list; a list with filters subclasses it."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, msgspec.Meta(max_length=500)] | None = None

    def after(self, key: type[K]) -> K | None:
        """Return the sort key after which the page begins, None on the first page.

        *key* is the type that was given to `page`, usually a tuple type.

        Raises:
            problems.InvalidCursor: the cursor was not made by this list.
        """
        if self.cursor is None:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=key)
        except (binascii.Error, ValueError) as error:
            raise problems.InvalidCursor("Leave out 'cursor' to begin at the first page.") from error


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list."""

    items: list[T]
    next: str | None = None  #: the cursor of the following page, None on the last


def encode_cursor(key: object) -> str:
    """Return the cursor for the sort *key* (values that JSON can hold)."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def page(rows: Sequence[T], query: PageQuery, key: Callable[[T], object]) -> Page[T]:
    """Return the page of *rows*, which the caller read with a limit of `query.limit + 1`.

    *key* gives a row's sort key. The row over the limit only tells that there is a next page.
    """
    items = list(rows[: query.limit])
    more = len(rows) > query.limit
    return Page(items, encode_cursor(key(items[-1])) if more else None)
