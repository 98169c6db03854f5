"""The Prometheus client against a real server, and against peers that answer wrongly or not at all."""

import itertools
import json
import sys
import time

import pytest

from stormdrill import wait
from stormdrill.errors import InputError, TargetError
from stormdrill.prometheus import Prometheus, failed_range


@pytest.fixture
def scraped(prometheus):
    client = Prometheus(prometheus.url)
    wanted = 'count({__name__=~"load|ceiling"}) == 3'
    wait.until(lambda: client.instant(wanted).samples, deadline_s=20, what="samples")
    return client


def test_values_are_floats_and_nan_is_nothing(scraped):
    values = {sample.labels["pod"]: sample.value for sample in scraped.instant("load").samples}
    assert values == {"a": 1.5, "b": None}
    (ceiling,) = scraped.instant("ceiling").samples
    assert ceiling.value == sys.float_info.max
    (scalar,) = scraped.instant("42").samples
    assert (scalar.value, dict(scalar.labels)) == (42.0, {})


def test_a_range_keeps_the_times_it_was_asked_for(scraped):
    end = time.time()
    start = end - 1.75
    wait.until(
        lambda: scraped.instant("time()").samples[0].value > end, deadline_s=5, what="the end to be past"
    )
    got = scraped.range("time()", start, end, 0.25)
    (series,) = got.series
    assert len(series.samples) == 8
    for i, (t_s, value) in enumerate(series.samples):
        assert t_s == pytest.approx(start + i * 0.25, abs=0.002)
        assert value == pytest.approx(t_s, abs=0.002)


def test_a_range_longer_than_the_server_allows_comes_in_parts(scraped):
    end = time.time()
    got = scraped.range("vector(1)", end - 25_000, end, 1)
    (series,) = got.series
    times = [t for t, _ in series.samples]
    assert len(times) == 25_001
    assert all(b - a == pytest.approx(1, abs=0.002) for a, b in itertools.pairwise(times))


def test_the_stored_form_is_plain_json(scraped):
    end = time.time()
    stored = json.loads(json.dumps(scraped.range("load", end - 1, end, 1).to_json(), allow_nan=False))
    assert stored["fetched"] is True
    assert stored["error"] is None
    assert (stored["query"], stored["step_s"]) == ("load", 1)
    failed = failed_range("load", 1.0, 2.0, 1.0, "gone")
    assert failed.keys() == stored.keys()
    assert failed["fetched"] is False


def test_age_and_clock_are_the_servers(scraped):
    assert 0 <= scraped.sample_age_s() < 2
    assert abs(scraped.clock_s() - time.time()) < 1
    offset_s, error_s = scraped.clock_offset_s()
    assert abs(offset_s) <= error_s + 0.002


def test_a_wrong_query_is_the_authors_fault(scraped):
    with pytest.raises(InputError, match=r"refuses the query: .*parse error"):
        scraped.instant("sum(")
    with pytest.raises(InputError, match="refuses"):
        scraped.range("load[", 1, 2, 1)


def test_no_server_at_all_is_said_in_a_sentence():
    with pytest.raises(
        TargetError, match=r"^Prometheus at http://127.0.0.1:1 does not answer: Connection refused$"
    ):
        Prometheus("http://127.0.0.1:1").instant("up")


def test_a_silent_server_costs_the_timeout_once(silent):
    began = time.monotonic()
    with pytest.raises(TargetError, match="no answer in time"):
        Prometheus(f"http://{silent}", timeout_s=0.3).instant("up")
    assert time.monotonic() - began < 1.0


def test_an_error_is_not_tried_again(peer):
    peer.answers["/api/v1/query"] = (
        503,
        {"status": "error", "errorType": "unavailable", "error": "starting up"},
    )
    with pytest.raises(TargetError, match="answered 503: starting up"):
        Prometheus(peer.url).instant("up")
    assert len(peer.asked) == 1


@pytest.mark.parametrize(
    "body", ["<html>hello</html>", {"status": "success"}, [], {"data": {"result": [{}]}}]
)
def test_something_else_at_that_address_is_noticed(peer, body):
    peer.answers["/api/v1/query"] = (200, body)
    with pytest.raises(TargetError, match="not like a Prometheus"):
        Prometheus(peer.url).instant("up")


def test_a_partial_answer_keeps_its_warning_and_is_not_fetched(peer):
    answer = {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": {"a": "b"}, "values": [[1, "2"]]}]},
        "warnings": ["store west is down"],
    }
    peer.answers["/api/v1/query_range"] = (200, answer)
    stored = Prometheus(peer.url).range("x", 1, 2, 1).to_json()
    assert stored["fetched"] is False
    assert stored["error"] == "store west is down"
    assert stored["series"] == [{"labels": {"a": "b"}, "samples": [[1.0, 2.0]]}]


def test_no_samples_is_not_fresh(peer):
    peer.answers["/api/v1/query"] = (
        200,
        {"status": "success", "data": {"resultType": "vector", "result": []}},
    )
    with pytest.raises(TargetError, match="has no samples"):
        Prometheus(peer.url).sample_age_s()


@pytest.mark.parametrize("ahead_s", [7.5, -7.5])
def test_a_clock_that_is_wrong_is_measured(peer, ahead_s):
    def answer(_):
        now = str(time.time() + ahead_s)
        data = {"resultType": "scalar", "result": [time.time(), now]}
        return 200, {"status": "success", "data": data}

    peer.answers["/api/v1/query"] = answer
    offset_s, error_s = Prometheus(peer.url).clock_offset_s()
    assert offset_s == pytest.approx(ahead_s, abs=error_s + 0.002)
    assert error_s < 1


def test_a_server_that_does_not_know_the_time_is_odd(peer):
    empty = {"status": "success", "data": {"resultType": "vector", "result": []}}
    peer.answers["/api/v1/query"] = (200, empty)
    with pytest.raises(TargetError, match="not like a Prometheus"):
        Prometheus(peer.url).clock_s()


def test_the_bearer_is_sent(peer):
    peer.answers["/api/v1/query"] = (
        200,
        {"status": "success", "data": {"resultType": "vector", "result": []}},
    )
    Prometheus(peer.url, bearer="t0ken").instant("up")
    assert peer.asked[0][1]["Authorization"] == "Bearer t0ken"
