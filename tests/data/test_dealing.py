"""Dealing: what several ranks take is what one takes, record by record in training, batch by batch in tests."""

from __future__ import annotations

import pytest

from solver_cli.data.dealing import Dealing


@pytest.mark.parametrize("size", [1, 2, 3])
def test_records_go_round(size: int) -> None:
    at, dealt = 100, []
    for _ in range(4):
        turns = [Dealing(rank, size).turn(at, 5) for rank in range(size)]
        assert len({end for _, end in turns}) == 1
        dealt.append([list(numbers) for numbers, _ in turns])
        at = turns[0][1]
    assert [row[0] for row in dealt[0]] == list(range(100, 100 + size))
    assert sorted(x for batch in dealt for row in batch for x in row) == list(range(100, at))


@pytest.mark.parametrize(("size", "batches"), [(1, 3), (2, 4), (2, 5), (3, 4), (4, 3)])
def test_whole_batches_of_tests_go_round_and_each_test_goes_on_behind_the_one_before(size: int, batches: int) -> None:
    taken: dict[int, list[int]] = {}
    for rank in range(size):
        dealing, at = Dealing(rank, size, batches), 20
        for test in range(3):
            for batch in range(rank, batches, size):
                numbers, at = dealing.turn(at, 10)
                taken[test * batches + batch] = list(numbers)
            if rank < batches:
                assert at == 20 + (test + 1) * batches * 10
    assert taken == {i: list(range(20 + 10 * i, 30 + 10 * i)) for i in range(3 * batches)}


def test_a_turn_can_come_again() -> None:
    dealing = Dealing(1, 2, 5)
    dealing.turn(0, 10)
    first = dealing.turn(20, 10)
    dealing.undo()
    assert dealing.turn(20, 10) == first
