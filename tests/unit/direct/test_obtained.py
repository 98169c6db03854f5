"""What an observation of a closed site is worth."""

import pytest

from stormdrill.fence import How, Observed, obtained

CLOSED = Observed(closed=True)


@pytest.mark.parametrize(
    ("seen", "how"),
    [
        (CLOSED, How.PROVEN),
        (Observed(closed=True, alive=("pg-0",)), None),
        (Observed(closed=False), None),
        (Observed(closed=True, writers=("pg-0",), edges=True), None),
        (Observed(closed=True, alive=("pg-0",), store_lost_s=21), How.QUORUM_LOSS),
        (Observed(closed=True, alive=("pg-0",), store_lost_s=19), None),
        (Observed(closed=True, alive=("pg-0",), edges=True), How.EDGE),
        (Observed(closed=False, trouble="no answer", edges=True), How.EDGE),
        (Observed(closed=False, trouble="no answer"), None),
    ],
)
def test_how(seen, how):
    assert obtained(seen)[0] == how


def test_the_reason_names_what_is_wrong():
    assert "pg-0" in obtained(Observed(closed=True, alive=("pg-0",)))[1]
    assert "pg-0" in obtained(Observed(closed=True, writers=("pg-0",)))[1]
    assert obtained(Observed(closed=False, trouble="no answer"))[1] == "no answer"
