"""Sending to many: in order, in few writes, and never for long at once."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kernel import FanOut
from kernel.http.sockets.fan_out import AT_ONCE


class Member:
    """Takes note of what it is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def send_frames(self, frames: bytes) -> None:
        self.writes.append(frames)


def members(number: int) -> tuple[Member, ...]:
    return tuple(Member() for _ in range(number))


async def turns(number: int) -> None:
    """Let the loop make so many turns."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_three_sends_in_one_turn_are_one_write_for_each_member() -> None:
    """And what is sent later is another one."""
    fan_out, room = FanOut(), members(2)
    for number in (b"1", b"2", b"3"):
        fan_out.send(room, number)
    await turns(1)
    fan_out.send(room, b"4")
    await turns(1)

    assert [member.writes for member in room] == [[b"123", b"4"]] * 2


async def test_whoever_comes_or_goes_order_is_kept() -> None:
    """What is for some of them stands for those between what came before and after it."""
    fan_out, room = FanOut(), members(3)
    fan_out.send(room, b"1")
    fan_out.send(room[:2], b"2")
    fan_out.send(room, b"3")
    await turns(1)

    assert [b"".join(member.writes) for member in room] == [b"123", b"123", b"13"]


async def test_large_group_is_written_to_over_several_turns() -> None:
    """Others have their turns in between."""
    fan_out, room = FanOut(), members(2 * AT_ONCE + 1)
    fan_out.send(room, b"1")

    for written in (AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1):
        await turns(1)
        assert sum(len(member.writes) for member in room) == written


async def test_what_is_sent_meanwhile_goes_out_with_what_is_on_its_way() -> None:
    """From whoever is next, and once around; nobody gets it before what came first, and nobody twice."""
    fan_out, room = FanOut(), members(2 * AT_ONCE)
    fan_out.send(room, b"1")
    await turns(1)
    fan_out.send(room, b"2")
    await turns(1)
    fan_out.send(room, b"3")
    await turns(3)

    assert [member.writes for member in room] == [[b"1", b"23"]] * AT_ONCE + [[b"12", b"3"]] * AT_ONCE


@given(st.integers(1, 3 * AT_ONCE), st.lists(st.integers(0, 4), max_size=12))
def test_everybody_gets_everything_once_and_in_order(size: int, pauses: list[int]) -> None:
    """Whenever it is sent."""

    async def told() -> set[bytes]:
        fan_out, room = FanOut(), members(size)
        for number, pause in enumerate(pauses):
            fan_out.send(room, b"%d " % number)
            await turns(pause)
        await turns(60)
        return {b"".join(member.writes) for member in room}

    assert asyncio.run(told()) == {b"".join(b"%d " % number for number in range(len(pauses)))}


async def test_member_that_is_cut_off_by_a_write_may_have_others_told() -> None:
    """What is sent while others are being written to comes after it."""
    fan_out, room = FanOut(), members(2)

    class Leaving(Member):
        def send_frames(self, frames: bytes) -> None:
            super().send_frames(frames)
            if frames == b"1":
                fan_out.send(room, b"gone")

    fan_out.send((Leaving(), *room), b"1")
    await turns(3)

    assert [member.writes for member in room] == [[b"1", b"gone"]] * 2


async def test_member_that_raises_stops_the_group_for_once_only() -> None:
    """It is a fault, which the loop reports; what comes later goes to everybody."""
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    fan_out, room = FanOut(), members(2)

    class Broken(Member):
        def send_frames(self, frames: bytes) -> None:
            super().send_frames(frames)
            if frames == b"1":
                raise RuntimeError("it broke")

    group = (room[0], Broken(), room[1])
    fan_out.send(group, b"1")
    await turns(2)
    fan_out.send(group, b"2")
    await turns(2)

    assert [member.writes for member in room] == [[b"1", b"2"], [b"2"]]
    assert len(reported) == 1


async def test_group_of_nobody_holds_up_nobody() -> None:
    """It may be that all have left."""
    fan_out, room = FanOut(), members(1)
    fan_out.send((), b"1")
    fan_out.send(room, b"2")
    await turns(2)

    assert room[0].writes == [b"2"]
