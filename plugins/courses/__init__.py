"""Courses: sections and lessons, from draft to published, and who may see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

from kernel import Context, EventHandler, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl, on
from kernel.contracts import courses as contract
from kernel.contracts.audit import ActRecorded
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.search import SEARCHABLE, SubjectChanged
from kernel.contracts.users import USERS, ProfileChanged
from plugins.courses import api, editing, migrations
from plugins.courses.handlers import Names
from plugins.courses.personal_data import CoursesPersonalData
from plugins.courses.renewal import Renewal
from plugins.courses.searchable import SearchableCourses, SearchableInstructors
from plugins.courses.service import CourseOffers
from plugins.courses.settings import CoursesSettings
from plugins.courses.tables import metadata


class CoursesPlugin(Plugin[CoursesSettings]):
    """Provides `courses/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="courses",
        version="0.1.0",
        summary="Courses with sections and lessons, from draft to published.",
        provides=(contract.COURSES, PERSONAL_DATA, SEARCHABLE),
        wants=(USERS,),
        publishes=(
            ActRecorded,
            contract.CourseArchived,
            contract.CourseChanged,
            contract.CourseCreated,
            contract.CourseDeleted,
            contract.CoursePublished,
            contract.CourseReordered,
            contract.CourseReturned,
            contract.CourseRevised,
            contract.CourseSubmitted,
            contract.InstructorsChanged,
            contract.LessonAdded,
            contract.LessonChanged,
            contract.LessonRemoved,
            contract.SectionAdded,
            contract.SectionChanged,
            contract.SectionRemoved,
            SubjectChanged,
        ),
    )

    @hookimpl
    def settings(self) -> type[CoursesSettings]:
        return CoursesSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return (
            Permission(
                name=editing.CREATE, summary="Make courses and work on those one teaches", roles=("instructor", "admin")
            ),
            Permission(name=editing.EDIT_ANY, summary="Change anyone's courses", roles=("admin",)),
            Permission(name=editing.REVIEW, summary="Publish courses or send them back", roles=("admin",)),
        )

    @hookimpl
    def services(self, ctx: Context[CoursesSettings]) -> Iterable[Provide[object]]:
        return (
            Provide(contract.COURSES, lambda: nullcontext(CourseOffers(ctx.db))),
            Provide(PERSONAL_DATA, lambda: nullcontext(CoursesPersonalData(ctx))),
            Provide(SEARCHABLE, lambda: nullcontext(SearchableCourses(ctx.db))),
            Provide(SEARCHABLE, lambda: nullcontext(SearchableInstructors(ctx.db))),
        )

    @hookimpl
    def event_handlers(self, ctx: Context[CoursesSettings]) -> Iterable[EventHandler]:
        return (on(ProfileChanged, ctx.own(Names).changed, name="names"),)

    @hookimpl
    def routes(self, ctx: Context[CoursesSettings]) -> Iterable[Route]:
        return api.routes(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[CoursesSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def renewing() -> AsyncIterator[None]:
            ctx.own(Renewal).run_in_background()
            yield

        return renewing()
