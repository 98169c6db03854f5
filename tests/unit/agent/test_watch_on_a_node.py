"""An API server that ends every watch with an ERROR is asked again, with pauses that grow up to a bound."""

from itertools import pairwise

import pytest

from .rig import eventually

pytestmark = pytest.mark.lab

PAUSES_S = (0.2, 0.5, 1.0, 1.0)


def test_errors_in_a_row_are_answered_with_pauses(rig):
    rig.start().ready()
    before = len(rig.say(lists=True))
    rig.say(forgetful=True)
    assert eventually(lambda: len(rig.say(lists=True)) > before + len(PAUSES_S))
    paused_s = [later - one for one, later in pairwise(rig.say(lists=True)[before:])]
    for paused, least in zip(paused_s, PAUSES_S, strict=False):
        assert least <= paused < least + 2.0
    assert rig.said().count("too old resource version") == 1, "told once, not at every try"
    rig.say(forgetful=False)
    rig.put()
    rig.until("applied")
