"""`lyceum search …`: the index on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from kernel import Console, Context
from kernel.contracts.search import Query
from plugins.search import judging, questions
from plugins.search.finding import SearchService
from plugins.search.indexing import Indexing
from plugins.search.judging import DEFAULT_BAR, Bar, Find, Report, Score
from plugins.search.questions import Question
from plugins.search.settings import SearchSettings


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild came to."""

    sources: dict[str, int]  #: kind → subjects that the source has
    indexed: int  #: subjects that this process asked for; running ones take part


@click.command("rebuild")
@click.option("--kind", help="Only subjects of this kind, such as 'course'.")
@click.pass_obj
def rebuild(console: Console, kind: str | None) -> None:
    """Make the index again from its sources, while everybody goes on searching."""

    async def work(ctx: Context[SearchSettings]) -> Rebuilt:
        indexing = ctx.own(Indexing)
        chosen = {name: source for name, source in indexing.sources().items() if kind in (None, name)}
        if not chosen:
            raise click.ClickException(
                f"nobody tells what there is of kind {kind!r}; kinds: {', '.join(indexing.sources()) or 'none'}"
            )
        told = {name: await indexing.mark_everything(name, source) for name, source in chosen.items()}
        return Rebuilt(told, await indexing.index())

    with console.progress("Rebuilding the index"):
        done = console.run("search", work)
    if console.json:
        console.document(done)
    else:
        told = ", ".join(f"{count} of kind {name}" for name, count in done.sources.items())
        console.say(f"Rebuilt from {told}.")


class Kind(msgspec.Struct, frozen=True):
    """How well the questions of one kind were answered."""

    questions: int
    ndcg: float
    first: float | None


class Judged(msgspec.Struct, frozen=True):
    """How well the search answers an institution's own questions."""

    overall: Kind
    kinds: dict[str, Kind]
    worst: dict[str, float]  #: question → nDCG@10, of those answered worst
    shortfalls: list[str]


@click.command("judge")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--ndcg", default=DEFAULT_BAR.ndcg, show_default=True, help="What all questions must reach together.")
@click.pass_obj
def judge(console: Console, file: Path, ndcg: float) -> None:
    """Ask the questions of FILE, which says what good answers are, as somebody who is not signed in.

    It fails where nDCG@10 is below the bar, or where what was asked for by name does not come first.
    """
    try:
        asked = questions.parse(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of TOML, of UTF-8 and of the questions alike
        raise click.ClickException(f"{file} can not be read: {error}") from None

    async def work(ctx: Context[SearchSettings]) -> Report:
        return await judging.judge(_finder(ctx, asked), asked)

    with console.progress("Asking"):
        report = console.run("search", work)
    found = _judged(report, msgspec.structs.replace(DEFAULT_BAR, ndcg=ndcg, kinds={}))
    if console.json:
        console.document(found)
    else:
        for kind, score in {**found.kinds, "all questions": found.overall}.items():
            first = "" if score.first is None else f", {score.first:.0%} of names first"
            console.say(f"{kind}: nDCG@10 {score.ndcg:.3f} over {score.questions}{first}")
    if found.shortfalls:
        raise click.ClickException("; ".join(found.shortfalls))


def _finder(ctx: Context[SearchSettings], asked: Sequence[Question]) -> Find:
    """Return the search as an engine that names what it finds as the questions do: by code, or else by id."""
    named = {name for question in asked for name in question.answers}

    async def find(text: str, limit: int) -> Sequence[str]:
        results = await ctx.own(SearchService).find(None, Query(text=text, limit=limit))
        return [
            hit.found.code if hit.found.code and hit.found.code in named else str(hit.found.id) for hit in results.hits
        ]

    return find


def _judged(report: Report, bar: Bar) -> Judged:
    return Judged(
        overall=_kind(report.overall),
        kinds={kind: _kind(score) for kind, score in report.kinds().items()},
        worst={verdict.question.text: round(verdict.ndcg, 3) for verdict in report.worst() if verdict.ndcg < 1},
        shortfalls=list(report.shortfalls(bar)),
    )


def _kind(score: Score) -> Kind:
    return Kind(score.questions, round(score.ndcg, 4), None if score.first is None else round(score.first, 4))


COMMANDS: Final = (rebuild, judge)
