"""Links as files and commands say them, and what the relay takes and tells."""

import json
from pathlib import Path

import pytest

from stormlab.errors import BadInputError, LabError
from stormlab.linkshape import LinkShape, from_options
from stormlab.net.links import Links
from stormlab.topologyfile import load

HEAD = """\
name: t
regions: {one: {zones: [a, b]}, two: {zones: [c]}}
lab: {network: 10.77.0.0/16, api_ports: {one: 26001, two: 26002}}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + text)
    return path


BANDWIDTH = "must be a bandwidth from 10kbit/s to 100Gbit/s, such as 100Mbit/s, or 'unlimited'"


def pair(*names):
    return frozenset(names)


def test_kinds_and_pairs(tmp_path):
    estate = load(
        written(
            tmp_path,
            """\
links:
  seed: 7
  within_region: {rtt: 1ms, bandwidth: 1Gbit/s}
  between_regions: {rtt: 30ms, jitter: 2ms, loss: 0.01%, bandwidth: 200Mbit/s}
  pairs:
    - {between: [a, c], rtt: 40ms, bandwidth: unlimited}
    - {between: [c, outside], loss: 100%}
""",
        )
    )
    assert estate.link_seed == 7
    assert dict(estate.links) == {
        pair("a", "b"): LinkShape(1.0, bandwidth_mbit_s=1000.0),
        pair("b", "c"): LinkShape(30.0, 2.0, 0.0001, 200.0),
        pair("a", "c"): LinkShape(40.0, 2.0, 0.0001),
        pair("a", "outside"): LinkShape(2.0),
        pair("b", "outside"): LinkShape(2.0),
        pair("c", "outside"): LinkShape(2.0, loss=1.0),
    }


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path):
    path = written(
        tmp_path,
        """\
links:
  within_region: {rtt: 1, jitter: 1ms}
  between_regions: {rtt: 30ms, jitter: 31ms}
  outside: {rtt: 2ms, loss: 101%, bandwidth: 100MB}
  pairs:
    - {between: [a, nowhere], rtt: 1ms}
    - {between: [a, a], rtt: 1ms}
    - {between: [a, b], rtt: 1ms}
    - {between: [b, a], los: 1%}
    - between: [a, c]
      jitter: -1ms
      loss: 0.5
  seed: x
""",
    )
    with pytest.raises(BadInputError) as caught:
        load(path)
    found = [problem.removeprefix(f"{path}:") for problem in caught.value.problems]
    assert [(int(line.split(":")[0]), line.split(": ", 1)[1]) for line in found] == [
        (5, "links.within_region.rtt: must be a duration from 0ms to 10s, such as 30ms"),
        (6, "links.between_regions: a jitter of 31 ms is more than the rtt of 30 ms"),
        (7, f"links.outside.bandwidth: {BANDWIDTH}"),
        (7, "links.outside.loss: must be a share from 0% to 100%, such as 0.1%"),
        (9, "links.pairs[0].between[1]: no site 'nowhere' (known: outside, a, b, c)"),
        (10, "links.pairs[1].between: must name two different sites"),
        (12, "links.pairs[3].between: given twice"),
        (12, "links.pairs[3].los: unknown key (known: between, rtt, jitter, loss, bandwidth)"),
        (12, "links.pairs[3]: says nothing: give one or more of rtt, jitter, loss, bandwidth"),
        (14, "links.pairs[4].jitter: must be a duration from 0ms to 10s, such as 30ms"),
        (15, "links.pairs[4].loss: must be a share from 0% to 100%, such as 0.1%"),
        (16, "links.seed: must be an integer from 0 to 4294967295"),
    ]


@pytest.mark.parametrize(
    ("text", "mbit_s"),
    [
        ("10kbit/s", 0.01),
        ("1.5Mbit/s", 1.5),
        ("100Gbit/s", 100_000.0),
        ("unlimited", None),
    ],
)
def test_bandwidths(text, mbit_s):
    assert from_options({"bandwidth": text}) == {"bandwidth_mbit_s": mbit_s}


@pytest.mark.parametrize("text", ["9kbit/s", "101Gbit/s", "10", "10 Mbit/s", "10mbit/s", "-1Mbit/s", "inf"])
def test_what_is_no_bandwidth(text):
    with pytest.raises(BadInputError, match=f"--bandwidth {text}: must be"):
        from_options({"bandwidth": text})


def test_a_shape_in_words():
    assert str(LinkShape(30.0)) == "30 ms round trip"
    said = "30 ms round trip, jitter 2 ms, loss 0.1%, 1.5Mbit/s"
    assert str(LinkShape(30.0, 2.0, 0.001, 1.5)) == said
    assert str(LinkShape(1.0, loss=1.0, bandwidth_mbit_s=2000)) == "1 ms round trip, loss 100%, 2Gbit/s"


def carried():
    shapes = {pair("a", "b"): LinkShape(10.0, loss=0.5), pair("a", "c"): LinkShape(20.0)}
    return Links(["a", "b", "c"], shapes, "t 1")


def test_the_relay_tells_each_link():
    links = carried()
    for _ in range(100):
        links.line.push((0, 1), bytes(38), 0)
    one, other = links.told()
    assert one["lost"] + len(links.line) == 100
    assert 30 < one["lost"] < 70
    assert other == {
        "between": ["a", "c"],
        "rtt_ms": 20.0,
        "jitter_ms": 0.0,
        "loss": 0.0,
        "bandwidth_mbit_s": None,
        "up": True,
        "lost": 0,
        "overflowed": 0,
        "queue_ms": 0,
    }
    assert json.loads(json.dumps(links.told())) == links.told()


def test_the_relay_changes_what_it_is_told_and_nothing_else():
    links = carried()
    links.change({"between": ["c", "a"], "jitter_ms": 4, "bandwidth_mbit_s": 8})
    links.change({"between": ["a", "c"], "up": False})
    one, other = links.told()
    assert (one["rtt_ms"], one["loss"], one["up"]) == (10.0, 0.5, True)
    assert [other[key] for key in ("rtt_ms", "jitter_ms", "bandwidth_mbit_s", "up")] == [
        20.0,
        4.0,
        8.0,
        False,
    ]
    links.change({"between": ["a", "c"], "up": True, "bandwidth_mbit_s": None, "jitter_ms": 0})
    assert links.told()[1] == carried().told()[1]


def test_a_change_of_the_delay_alone_goes_on_with_the_same_chances():
    links, same = carried(), carried()
    for each in (links, same):
        for at in range(50):
            each.line.push((1, 0), bytes(38), at)
    links.change({"between": ["a", "b"], "rtt_ms": 12})
    for each in (links, same):
        for at in range(50, 100):
            each.line.push((1, 0), bytes(38), at)
    assert links.told()[0]["lost"] == same.told()[0]["lost"]


@pytest.mark.parametrize(
    "request_",
    [
        {"between": ["a", "b"]},
        {"between": ["b", "c"], "rtt_ms": 1},
        {"between": "ab", "rtt_ms": None},
        {"between": ["a", "b"], "rtt_ms": -1},
        {"between": ["a", "b"], "rtt_ms": float("nan")},
        {"between": ["a", "b"], "rtt_ms": "x"},
        {"between": ["a", "b"], "loss": 1.1},
        {"between": ["a", "b"], "loss": None},
        {"between": ["a", "b"], "jitter_ms": 11},
        {"between": ["a", "b"], "jitter_ms": float("nan")},
        {"between": ["a", "b"], "bandwidth_mbit_s": 0},
        {"between": [["a"], "b"], "rtt_ms": 1},
        {"rtt_ms": 1},
        ["a", "b"],
        None,
    ],
)
def test_the_relay_refuses_what_makes_no_sense_and_changes_nothing(request_):
    links = carried()
    with pytest.raises(LabError):
        links.change(request_)
    assert links.told() == carried().told()
