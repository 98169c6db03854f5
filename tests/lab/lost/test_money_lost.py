"""Money that was acknowledged and is gone: the drill says so, and which."""

from pathlib import Path

import pytest
from tests.lab.drill import books
from tests.lab.drill.estate import LIGHT, SHORT, drill, impatient, stop_prometheus
from tests.lab.lost.losing import asynchronous_over_a_slow_link, batch_until_the_primary_dies, cordon_primary

pytestmark = pytest.mark.lab
GONE = "tests/lab/lost/db-primary-gone.yaml"


@pytest.fixture
def lab(spare_lab):
    """Ends with the test: the remote site holds writes that the new primary never had, for good."""
    yield spare_lab.whole()
    spare_lab.end()


@pytest.mark.parametrize("prometheus", [pytest.param("running", marks=pytest.mark.long), "stopped"])
def test_money_lost_on_an_asynchronous_path_is_listed_to_the_last_movement(lab, tmp_path, prometheus):
    """Also with Prometheus stopped: what is proven by the client's own records stays proven."""
    asynchronous_over_a_slow_link(lab)
    cordon_primary(lab)

    def during(run: Path) -> None:
        batch_until_the_primary_dies(lab, run)
        if prometheus == "stopped":
            stop_prometheus(lab, run, phase="recover")

    options = (
        *LIGHT,
        "--topology",
        str(impatient(lab.topology, tmp_path)),
        "--times",
        f"{SHORT},recover_limit=5s",
    )
    ended = drill(lab, tmp_path / "runs", GONE, *options, during=during)
    lost = sorted(books.acknowledged(ended.path) - set(books.booked(lab)))
    assert lost, "nothing was lost: the test did not break what it meant to break"
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
    assert ended.check("lost")["verdict"] == "fail"
    assert ended.check("lost")["measured"]["value"] == len(lost)
    assert sorted(one["key"] for one in ended.measurements["loss"]["movements"]["lost"]) == lost
    report = (ended.path / "report.html").read_text()
    assert sum(key in report for key in lost) == min(50, len(lost))  # the first 50, and where the rest is
    assert ("prometheus_fresh" in ended.broken()) == (prometheus == "stopped")
