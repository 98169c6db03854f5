"""What the board makes of sightings, and what it says on the wire."""

import pytest

from stormdrill.canary.board import Awake, Board, Path
from stormdrill.canary.metrics import exposition
from stormdrill.canary.wire import Datagram, datagram, datagram_of, greeted_zone, greeting


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time_now():
    return Time()


@pytest.fixture
def board(time_now):
    return Board("east", Awake(time_now))


def pass_time(board, time_now, seconds):
    for _ in range(round(seconds / 0.2)):
        time_now.now_s += 0.2
        board.clock.tick()


def reading(board, path):
    return next(one for one in board.readings() if one.path is path)


def test_a_path_is_down_until_it_works_and_again_after_a_second(board, time_now):
    board.know("west", Path.NEW)
    assert not reading(board, Path.NEW).up
    board.worked("west", Path.NEW)
    assert reading(board, Path.NEW).up
    pass_time(board, time_now, 0.8)
    assert reading(board, Path.NEW).up
    pass_time(board, time_now, 0.4)
    assert not reading(board, Path.NEW).up
    assert reading(board, Path.NEW).silence_s == pytest.approx(1.2)


def test_time_in_which_the_canary_did_not_run_is_not_silence(board, time_now):
    board.know("west", Path.NEW)
    board.worked("west", Path.NEW)
    time_now.now_s += 30
    assert reading(board, Path.NEW).silence_s == pytest.approx(0.5), "read before the tick that is late"
    board.clock.tick()
    assert reading(board, Path.NEW).up
    assert board.clock.overslept_s == pytest.approx(29.5)


def test_datagrams_are_counted_and_so_are_the_ones_that_miss(board):
    board.know("west", Path.UDP)
    for number in (7, 8, 11, 10, 12):
        board.arrived(Datagram("west", "ab", number))
    board.arrived(Datagram("west", "cd", 900))
    assert (board.received["west"], board.missing["west"]) == (6, 2)


def test_a_zone_that_is_no_peer_gets_no_series(board):
    board.arrived(Datagram("nowhere", "ab", 1))
    assert "nowhere" not in exposition(board)


def test_senders_that_come_and_go_do_not_pile_up(board):
    board.know("west", Path.UDP)
    for number in range(1000):
        board.arrived(Datagram("west", f"{number:x}", 1))
    assert len(board._numbers) <= 256


def test_what_is_said_is_read_again():
    said = Datagram("city1-a", "0badcafe", 42)
    assert datagram_of(datagram(said)) == said
    assert greeted_zone(greeting("city1-a")) == "city1-a"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"stormdrill-canary/1 east ab\n",
        b'stormdrill-canary/1 ea"st ab 1\n',
        b"stormdrill-canary/2 east ab 1\n",
        b"stormdrill-canary/1 east ab 1\nmore",
        b"stormdrill-canary/1 east ab " + b"9" * 30 + b"\n",
    ],
)
def test_what_is_not_ours_is_not_read(data):
    assert datagram_of(data) is None
