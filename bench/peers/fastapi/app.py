"""Peer: FastAPI + SQLAlchemy's async ORM + asyncpg, as a Python team would write it; run by uvicorn."""

import datetime as dt
import os
from collections.abc import AsyncIterator
from typing import Annotated

import jwt
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

SECRET = os.environ["BENCH_SECRET"]
engine = create_async_engine(
    os.environ["BENCH_DSN"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["BENCH_POOL"]),
    max_overflow=0,
)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Course(Base):
    __tablename__ = "courses"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    summary: Mapped[str]
    description: Mapped[str] = mapped_column(deferred=True)
    category: Mapped[str]
    price: Mapped[int]
    status: Mapped[str]
    teacher_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    published_at: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True))
    teacher: Mapped[User] = relationship()


class Wallet(Base):
    __tablename__ = "wallets"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Enrollment(Base):
    __tablename__ = "enrollments"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    course_id: Mapped[int]
    price: Mapped[int]


class Ledger(Base):
    __tablename__ = "ledger"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    amount: Mapped[int]
    balance: Mapped[int]
    kind: Mapped[str]
    ref_id: Mapped[int]


class TeacherOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str


class CourseOut(BaseModel):
    model_config = ConfigDict(from_attributes=True, populate_by_name=True)
    id: int
    title: str
    summary: str
    category: str
    price: int
    published_at: dt.datetime = Field(serialization_alias="publishedAt")
    teacher: TeacherOut


class CourseFull(CourseOut):
    description: str


class Page(BaseModel):
    items: list[CourseOut]


class EnrollIn(BaseModel):
    courseId: int  # noqa: N815 — the same body as the other peer's


class EnrollOut(BaseModel):
    id: int
    balance: int


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


def current_user(authorization: Annotated[str, Header()] = "") -> int:
    try:
        return int(jwt.decode(authorization[7:], SECRET, algorithms=["HS256"])["sub"])
    except jwt.PyJWTError as error:
        raise HTTPException(401, "unauthorized") from error


Opened = Annotated[AsyncSession, Depends(session)]
app = FastAPI()


@app.get("/ping")
async def ping() -> dict[str, bool]:
    return {"ok": True}


@app.get("/courses", response_model=Page)
async def courses(
    s: Opened, limit: Annotated[int, Query(ge=1, le=100)] = 20, offset: Annotated[int, Query(ge=0)] = 0
) -> dict[str, object]:
    query = (
        sa.select(Course)
        .options(joinedload(Course.teacher))
        .where(Course.status == "published")
        .order_by(Course.published_at.desc(), Course.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return {"items": (await s.scalars(query)).all()}


@app.get("/courses/{course_id}", response_model=CourseFull)
async def course(course_id: int, s: Opened) -> Course:
    query = (
        sa.select(Course)
        .options(joinedload(Course.teacher), sa.orm.undefer(Course.description))
        .where(Course.id == course_id, Course.status == "published")
    )
    found = (await s.scalars(query)).first()
    if found is None:
        raise HTTPException(404)
    return found


@app.post("/enrollments", status_code=201, response_model=EnrollOut)
async def enroll(body: EnrollIn, user: Annotated[int, Depends(current_user)], s: Opened) -> dict[str, int]:
    try:
        async with s.begin():
            query = sa.select(Course).where(Course.id == body.courseId, Course.status == "published")
            found = (await s.scalars(query)).first()
            if not found:
                raise HTTPException(404)
            wallet = await s.get(Wallet, user, with_for_update=True)
            if not wallet or wallet.balance < found.price:
                raise HTTPException(402)
            wallet.balance -= found.price
            made = Enrollment(user_id=user, course_id=found.id, price=found.price)
            s.add(made)
            await s.flush()
            s.add(Ledger(user_id=user, amount=-found.price, balance=wallet.balance, kind="enroll", ref_id=made.id))
        return {"id": made.id, "balance": wallet.balance}
    except sa.exc.IntegrityError as error:
        raise HTTPException(409) from error
