"""The two dialects of SQL that we compile to.

They differ from SQLAlchemy's own in one point: the text of a statement never depends on its values, so that a
statement can be compiled once and stays in the server's cache. `x IN (…)` therefore takes one list as one value.
"""

from __future__ import annotations

import re
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg, PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

from kernel.database.location import Dialect

_PLAIN_TEXT: Final = re.compile(r"[A-Za-z0-9_.-]*")
_LIST: Final = re.compile(r"\(__list__ :(\w+)\)")


class ListOf(sa.types.UserDefinedType[list[object]]):
    """On SQLite: the values of an `IN`, which `spread` gives a place each."""

    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[object]) -> None:
        self.item = item


class _Compiler(SQLCompiler):
    """Writes the constants of a statement into its text, and gives a list of values one place.

    PostgreSQL uses an index with `WHERE status = 'published'` only if it reads that condition in the statement.
    Constants that would need escaping are bound as other values are.
    """

    def visit_bindparam(self, bindparam: BindParameter[Any], *rest: Any, **options: Any) -> str:
        if bindparam.unique and not bindparam.expanding and _is_plain(bindparam.value, bindparam.type):
            return str(self.render_literal_bindparam(bindparam, **options))  # type: ignore[no-untyped-call]
        return super().visit_bindparam(bindparam, *rest, **options)  # type: ignore[no-any-return,no-untyped-call]

    def visit_in_op_binary(self, binary: BinaryExpression[bool], operator: object, **options: Any) -> str:
        return self._membership(binary, "IN", options)

    def visit_not_in_op_binary(self, binary: BinaryExpression[bool], operator: object, **options: Any) -> str:
        return self._membership(binary, "NOT IN", options)

    def _membership(self, binary: BinaryExpression[bool], word: str, options: dict[str, Any]) -> str:
        right = binary.right
        if not isinstance(right, BindParameter) or isinstance(right.type, sa.TupleType):
            return f"({self._generate_generic_binary(binary, f' {word} ', **options)})"
        left = self.process(binary.left, **options)
        if right.unique and right.value and all(_is_plain(value, right.type) for value in right.value):
            constants = (self.render_literal_value(value, right.type) for value in right.value)
            return f"({left} {word} ({', '.join(constants)}))"
        return f"({left} {self._among(right, word, options)})"

    def _among(self, values: BindParameter[Any], word: str, options: dict[str, Any]) -> str:
        raise NotImplementedError


class _PostgresCompiler(_Compiler, PGCompiler_asyncpg):
    def _among(self, values: BindParameter[Any], word: str, options: dict[str, Any]) -> str:
        among = "= ANY" if word == "IN" else "<> ALL"
        array = sa.ARRAY(values.type)
        # A list that is short makes PostgreSQL plan anew at each execution, in the hope of a cheaper plan for so few
        # values; of the result of a subselect it knows as little beforehand as later, and keeps its plan.
        given = self.process(_like(values, array), **options)
        return f"{among} ((SELECT {given})::{self.dialect.type_compiler_instance.process(array)})"


class _SqliteCompiler(_Compiler, SQLiteCompiler):
    def _among(self, values: BindParameter[Any], word: str, options: dict[str, Any]) -> str:
        return f"{word} (__list__ {self.process(_like(values, ListOf(values.type)), **options)})"


class _Postgres(PGDialect_asyncpg):
    statement_compiler = _PostgresCompiler
    supports_statement_cache = True


class _Sqlite(SQLiteDialect_aiosqlite):
    statement_compiler = _SqliteCompiler
    supports_statement_cache = True


DIALECTS: Final[dict[Dialect, sa.Dialect]] = {
    "postgresql": _Postgres(dbapi=_Postgres.import_dbapi()),  # type: ignore[no-untyped-call]
    "sqlite": _Sqlite(dbapi=_Sqlite.import_dbapi(), paramstyle="named"),
}


def spread(sql: str, values: dict[str, object]) -> str:
    """On SQLite, which knows no arrays: give each value of each list in *values* a place of its own in *sql*."""

    def places(found: re.Match[str]) -> str:
        name = found[1]
        items = values[name]
        assert isinstance(items, list)  # noqa: S101  # the plan's processor made it one
        values.update({f"{name}__{number}": item for number, item in enumerate(items)})
        return f"({', '.join(f':{name}__{number}' for number in range(len(items)))})"

    return _LIST.sub(places, sql)


def _is_plain(value: object, type_: sa.types.TypeEngine[Any]) -> bool:
    if isinstance(value, str):
        return type(type_) in (sa.String, sa.Text) and _PLAIN_TEXT.fullmatch(value) is not None
    return type(value) is int and type(type_) in (sa.Integer, sa.BigInteger, sa.SmallInteger)


def _like(bind: BindParameter[Any], type_: sa.types.TypeEngine[Any]) -> BindParameter[Any]:
    name = "list" if bind.unique else bind.key
    return BindParameter(name, bind.effective_value, type_, unique=bind.unique, required=bind.required)
