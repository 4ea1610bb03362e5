"""Calls that come at the same time are carried out together, and harm each other no more than alone."""

import asyncio

import pytest
from chargebus_runtime.together import Together


class Work:
    """Doubles numbers, and remembers which it did together; it waits while `held` is not set."""

    def __init__(self, most: int = 100) -> None:
        self.pieces: list[list[int]] = []
        self.held = asyncio.Event()
        self.held.set()
        self.call = Together(self.carry_out, most)

    async def carry_out(self, numbers):
        self.pieces.append(list(numbers))
        await self.held.wait()
        if 13 in numbers:
            raise ValueError("no")
        if 0 in numbers:
            raise ConnectionResetError
        return [KeyError(number) if number < 0 else 2 * number for number in numbers]


async def test_what_comes_in_one_turn_is_one_piece_in_order():
    work = Work()

    assert await asyncio.gather(*(work.call(number) for number in (1, 2, 3))) == [2, 4, 6]
    assert work.pieces == [[1, 2, 3]]


async def test_what_comes_while_a_piece_is_under_way_is_the_next_piece():
    work = Work(most=2)
    work.held.clear()
    first = asyncio.create_task(work.call(1))
    while not work.pieces:
        await asyncio.sleep(0)
    others = [asyncio.create_task(work.call(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    work.held.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert work.pieces == [[1], [2, 3], [4]]
    assert await work.call(5) == 10


async def test_an_error_in_the_place_of_an_answer_is_raised_there():
    work = Work()
    done = await asyncio.gather(*(work.call(number) for number in (1, -1, 2)), return_exceptions=True)

    assert [done[0], type(done[1]), done[2]] == [2, KeyError, 4]


async def test_one_that_cannot_be_carried_out_harms_nobody_else():
    work = Work()
    done = await asyncio.gather(*(work.call(number) for number in (1, 13, 2)), return_exceptions=True)

    assert [done[0], type(done[1]), done[2]] == [2, ValueError, 4]
    assert work.pieces == [[1, 13, 2], [1], [13], [2]]


async def test_while_the_database_is_away_nobody_is_tried_alone():
    work = Work()
    done = await asyncio.gather(*(work.call(number) for number in (1, 0)), return_exceptions=True)

    assert [type(each) for each in done] == [ConnectionResetError] * 2
    assert work.pieces == [[1, 0]]


async def test_a_caller_that_left_is_left_out():
    work = Work()
    leaving, staying = asyncio.create_task(work.call(1)), asyncio.create_task(work.call(2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 4
    with pytest.raises(asyncio.CancelledError):
        await leaving
