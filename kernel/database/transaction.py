"""What a transaction does alike in every dialect: begin, commit or roll back, and then call who waits for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from kernel import errors
from kernel.database.executor import PlanExecutor


class Transaction(PlanExecutor):
    """A `Session` (see `kernel.database.api`) and its own context manager.

    Once a statement of it has failed, the transaction can only be left: PostgreSQL will have it so, and SQLite is
    held to the same.
    """

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._failure: BaseException | None = None
        self._ended = False

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if error is not None or self._failure is not None:
            await self._roll_back()
        if error is not None:
            return
        if self._failure is not None:
            raise errors.DatabaseError(
                "the transaction was rolled back: a statement of it had failed"
            ) from self._failure
        await self._commit()
        for callback in self._callbacks:
            callback()

    def _check_usable(self) -> None:
        if self._ended:
            raise errors.DatabaseError("the transaction has ended; use the session inside its block only")
        if self._failure is not None:
            raise errors.DatabaseError("a statement of this transaction has failed; leave its block") from self._failure

    @abstractmethod
    async def _begin(self) -> None: ...

    @abstractmethod
    async def _commit(self) -> None:
        """Commit and give the connection back."""

    @abstractmethod
    async def _roll_back(self) -> None:
        """Roll back and give the connection back; never raise for a connection that is gone."""
