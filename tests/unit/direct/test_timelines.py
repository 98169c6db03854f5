"""Where histories part: positions in bytes, timelines as PostgreSQL counts them."""

from stormdrill.direct.timelines import Log, Stretch, fork


def test_an_old_site_that_received_all_and_wrote_no_more_has_no_fork():
    assert fork(Log(1, (), 500), [(1, 500)], 2) == (500, ())


def test_what_it_wrote_beyond_the_new_timelines_beginning_is_the_fork():
    assert fork(Log(3, ((1, 100), (2, 200)), 350), [(1, 100), (2, 200), (3, 300)], 4) == (
        300,
        (Stretch(3, 300, 350),),
    )


def test_a_standby_that_is_behind_has_no_fork():
    assert fork(Log(1, (), 400), [(1, 500)], 2) == (400, ())


def test_equal_timelines_are_told_apart_by_where_they_began():
    """Both sites promoted themselves from timeline 1, the old one later: P1 of the known traps."""
    assert fork(Log(2, ((1, 700),), 900), [(1, 500)], 2) == (
        500,
        (Stretch(1, 500, 700), Stretch(2, 700, 900)),
    )
    assert fork(Log(2, ((1, 400),), 900), [(1, 500)], 2) == (400, (Stretch(2, 400, 900),))


def test_an_old_site_that_has_gone_further_on_its_own():
    assert fork(Log(3, ((1, 500), (2, 600)), 700), [(1, 500)], 2) == (600, (Stretch(3, 600, 700),))


def test_the_same_history_has_no_fork():
    assert fork(Log(2, ((1, 500),), 900), [(1, 500)], 2) == (900, ())
