import asyncio, time, cProfile, pstats
from uuid import uuid4
import pytest
from kernel import new_id
from plugins.enrollments.buying import Buying, Order
from kernel.contracts.payments import PAYMENTS
from tests.plugins.enrollments.shop import *
import sqlalchemy as sa
from kernel.database import Command
from sqlalchemy import bindparam

@pytest.mark.postgresql_only
async def test_perf(deploy):
    shop = await open_shop(deploy)
    ctx = shop.deployment.platform.context("enrollments")
    buying = ctx.own(Buying)
    courses=[shop.course(0 if False else 5) for _ in range(50)]
    students=[(await shop.student(10**9)).user for _ in range(8)]
    todo=[(s,c) for s in students for c in courses]
    async def worker(q):
        while q:
            s,c=q.pop()
            await buying.buy(s, str(uuid4()), Order(course_id=c))
    await worker([todo.pop() for _ in range(40)])
    q=list(todo)
    prof=cProfile.Profile(); prof.enable()
    t=time.process_time(); w=time.perf_counter()
    await asyncio.gather(*(worker(q) for _ in range(16)))
    n=len(todo)
    print("cpu us/purchase (incl relay, handlers)", (time.process_time()-t)/n*1e6, "wall", (time.perf_counter()-w)/n*1e6)
    prof.disable(); ps=pstats.Stats(prof); ps.sort_stats("tottime").print_stats(45); ps.sort_stats("cumtime").print_stats(70)
