"""The lab of these drills: one that may be ruined, whole when a test begins."""

import pytest


@pytest.fixture
def lab(spare_lab):
    return spare_lab.whole()


@pytest.fixture
def say(capsys):
    """Function (text): print a figure where whoever runs the test sees it."""

    def print_it(text):
        with capsys.disabled():
            print(f"\n  {text}", flush=True)

    return print_it
