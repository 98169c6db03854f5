"""A locustfile that knows nothing of us: run by the clock, writes keyed and witnessed, verdicts kept."""

import csv
import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from stormdrill import wait
from stormdrill.audit import Books, reader_of
from stormdrill.errors import TargetError
from stormdrill.estate import Operation, OperationKind
from stormdrill.estate_books import CsvAudit, HttpAudit
from stormdrill.load.arrivals import poisson
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.measure.books import parse_books
from stormdrill.measure.loss import intents, loss
from stormdrill.measure.money_values import Loss, Risk
from stormdrill.profile import Shape
from stormdrill.records import reader
from stormdrill.records.keys import sent_keys
from stormdrill.records.layout import Act, Flag, Outcome, Reason, key_bytes, key_text

from .conftest import Started, Stub
from .test_generator import check_whole, finals, outcomes

Start = Callable[..., Started]

ORDERS = (
    Operation("list", "A2", OperationKind.READ, 2.0, ("GET /api/orders",)),
    Operation("order", "A1", OperationKind.WRITE, 2.0, ("POST /api/orders", "POST new order")),
    Operation("judged", "B", OperationKind.READ, 2.0, ("GET judged",)),
)
LIST, ORDER, JUDGED = range(3)
PROFILE = "arrivals: 60/s\nusers: 40\napp: {timeout: 700ms, connect_timeout: 500ms}\n"
HOME = """
from locust import {base}, task

class Customer({base}):
    def on_start(self):
        self.client.post("/api/orders", json={{"amount": 1}})  # before the clock: nobody's record

    @task(4)
    def look(self):
        self.client.get("/api/orders")
        self.client.get("/api/else")  # claimed by no operation

    @task(2)
    def order(self):
        self.client.post("/api/orders", name="new order", json={{"amount": 25, "to": 9}})

    @task
    def judge(self):
        with self.client.get("/api/x", name="judged", catch_response=True) as answer:
            answer.failure("I do not like it")
"""
RETRYING = """
import uuid
from locust import HttpUser, task

class Customer(HttpUser):
    @task
    def order(self):
        headers = {"idempotency-key": str(uuid.uuid4())}
        for _ in range(3):
            if self.client.post("/api/orders", json={"amount": 25}, headers=headers).status_code == 201:
                break
"""


def mine(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(text))
    return file


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_plain_file_is_run_by_the_clock_and_watched(
    base: str, start: Start, stub: Stub, tmp_path: Path
) -> None:
    file = mine(tmp_path, HOME.format(base=base))
    started = start(PROFILE, [stub.url], locustfile=file, operations=ORDERS)
    wait.pause(2)
    stub.behave("stall", 2.5)
    wait.pause(3)
    started.load.stop()
    check_whole(started)
    records, witness, books = started.requests(), started.witness(), stub.books()
    early = records[records["due_ns"] < started.load.ready_ns + 1_200_000_000]
    assert set(outcomes(early[early["operation"] == LIST])) == {("GOOD", "NONE")}
    assert set(outcomes(early[early["operation"] == JUDGED])) == {("FAILED", "CONTENT")}
    # Open model: as many arrivals in the stalled seconds as before, hurt or dropped but counted.
    assert abs(len(records) / 5 - 60) < 15
    hurt = outcomes(records)
    assert hurt["UNKNOWN", "TIMEOUT"] > 30
    assert hurt["DROPPED", "NONE"] > 5  # 40 users x 0.7 s cannot carry 60/s
    # Money: a key of ours on each write, intent first, amount and target from the body.
    writes = records[((records["flags"] & Flag.WRITE) > 0) & (records["sent_ns"] > 0)]
    intents = witness[witness["act"] == Act.INTENT]
    assert len(writes) == len(intents) > 20
    assert set(intents["amount"]) == {25}
    assert set(intents["target"]) == {9}
    oks = {key_text(act["key"].tobytes()) for act in witness[witness["act"] == Act.OK]}
    assert oks <= set(books["keys"]) <= {key_text(act["key"].tobytes()) for act in intents}
    assert np.all(records["attempt"] == 1)


def test_a_key_used_again_is_the_next_attempt(start: Start, stub: Stub, tmp_path: Path) -> None:
    file = mine(tmp_path, RETRYING)
    started = start(PROFILE, [stub.url], locustfile=file, operations=ORDERS)
    wait.pause(0.7)
    stub.behave("reset", 0.7)
    wait.pause(1.5)
    started.load.stop()
    check_whole(started)
    records, witness = started.requests(), started.witness()
    assert outcomes(records)["UNKNOWN", "RESET"] > 10
    seqs, attempts = np.unique(records["seq"], return_counts=True)
    assert attempts.max() >= 2
    pairs = {(act["key"].tobytes(), int(act["seq"])) for act in witness}
    assert (
        len({key for key, _ in pairs}) == len({seq for _, seq in pairs}) == len(pairs)
    )  # one key, one request
    assert set(finals(records)["seq"]) == set(seqs)
    booked = stub.books()["keys"]
    again = {key_bytes(key) for key, amounts in booked.items() if len(amounts) > 1}
    assert again
    assert again <= {act["key"].tobytes() for act in witness[witness["attempt"] > 1]}


def test_no_connection_is_told_from_no_answer(start: Start, stub: Stub, tmp_path: Path) -> None:
    file = mine(tmp_path, HOME.format(base="HttpUser"))
    started = start(PROFILE, [stub.url], locustfile=file, operations=ORDERS)
    wait.pause(0.5)
    stub.stop()
    wait.pause(1)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    refused = records[records["due_ns"] > records["due_ns"].max() - 600_000_000]
    assert set(outcomes(refused)) == {("FAILED", "CONNECT")}
    acts = started.witness()
    acts = acts[np.isin(acts["seq"], refused["seq"])]
    assert set(acts["act"]) == {Act.INTENT, Act.FAIL}


def test_a_task_that_breaks_is_a_failure_and_is_printed(start: Start, stub: Stub, tmp_path: Path) -> None:
    text = """
        from locust import HttpUser, TaskSet, task
        class Customer(HttpUser):
            @task
            class Inner(TaskSet):
                @task
                def broken(self):
                    raise RuntimeError("my own mistake")
                @task
                def fine(self):
                    self.client.get("/api/orders")
                    self.interrupt()
        """
    started = start(PROFILE, [stub.url], locustfile=mine(tmp_path, text), operations=ORDERS)
    wait.pause(1)
    started.load.stop()
    check_whole(started)
    seen = outcomes(started.requests())
    assert seen["GOOD", "NONE"] > 10
    assert seen["FAILED", "CONTENT"] > 10
    assert set(seen) == {("GOOD", "NONE"), ("FAILED", "CONTENT")}
    assert "my own mistake" in started.log()
    assert {Outcome.GOOD, Outcome.FAILED} == set(started.requests()["outcome"])
    assert Reason.CONTENT in started.requests()["reason"]


def test_a_task_that_asks_for_nothing_known_is_no_demand_and_is_told_once(
    start: Start, stub: Stub, tmp_path: Path
) -> None:
    text = """
        import gevent
        from locust import HttpUser, task
        class Customer(HttpUser):
            @task(6)
            def look(self):
                self.client.get("/api/orders")
            @task(6)
            def elsewhere(self):
                self.client.get("/api/else?page=1")
            @task(3)
            def nothing(self):
                pass
            @task
            def slow(self):  # cut short by the end of the load before it asks
                gevent.sleep(60)
                self.client.get("/api/orders")
        """
    profile = PROFILE.replace("users: 40", "users: 200")
    started = start(profile, [stub.url], locustfile=mine(tmp_path, text), operations=ORDERS)
    wait.pause(2)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    assert set(outcomes(records)) == {("GOOD", "NONE")}
    assert 20 < len(records) < 80  # 6 of 16 arrivals of about 120
    assert started.log().count("'GET /api/else' matches no operation") == 1
    assert "arrivals asked for nothing that the topology knows" in started.log()


def test_on_start_that_fails_is_one_message(
    configure: Callable[..., LoadConfig], stub: Stub, tmp_path: Path
) -> None:
    text = """
        from locust import FastHttpUser, task
        class Customer(FastHttpUser):
            def on_start(self):
                raise RuntimeError("no account for me")
            @task
            def look(self):
                self.client.get("/api/orders")
        """
    config = configure(PROFILE, [stub.url], locustfile=mine(tmp_path, text), operations=ORDERS)
    with pytest.raises(TargetError, match="on_start: RuntimeError: no account for me"):
        LoadProcess.launch(config, lambda _: None)


NAMING = """
import itertools
import uuid
from locust import HttpUser, task

NUMBERS = itertools.count(1)

class Customer(HttpUser):
    @task
    def order(self):
        number = next(NUMBERS)
        keys = [f"Order/{number} a", str(uuid.uuid4()).upper(), str(uuid.uuid4()), b"order-%d" % number]
        headers = {"Idempotency-Key": keys[number % 4]}
        self.client.post("/api/orders", json={"amount": 25}, headers=headers)
"""


def audited(started: Started, books: Books) -> Loss:
    """What an audit of these books says of the money."""
    records = reader.read_file(started.config.witness_file)
    risk = Risk("none", (), None, 0, None, "no database")
    return loss(
        intents(records.data), parse_books(books.to_json()), records.legend, started.load.ready_ns, risk
    )


def test_keys_that_are_no_uuids_are_asked_for_as_they_were_sent(
    start: Start, stub: Stub, tmp_path: Path
) -> None:
    started = start(PROFILE, [stub.url], locustfile=mine(tmp_path, NAMING), operations=ORDERS)
    wait.pause(1.5)
    started.load.stop()
    check_whole(started)
    booked = stub.books()["keys"]
    sent = list(sent_keys(started.config.witness_file.parent))
    assert set(booked) <= set(sent)
    assert {key[:6] for key in sent} > {"Order/", "order-"}
    assert any(key.upper() == key and "-" in key for key in sent)

    service = HttpAudit(f"{stub.url}/_booked/{{key}}", 200, 404, {}, None, "amount", None, None, None, 20.0)
    rows = [(key, amount) for key, amounts in booked.items() for amount in amounts]
    export = tmp_path / "books.csv"
    with export.open("w", newline="") as stream:
        csv.writer(stream).writerows([("key", "cents"), *rows, ("somebody-else", 1)])
    for audit in (service, CsvAudit(export, "key", "cents", None, None, None)):
        books = reader_of(audit).read(0, iter(sent))
        assert books.complete, books.why
        found = audited(started, books)
        assert found.acknowledged > 30
        assert found.tallies["durable"].count == found.acknowledged
        assert {name for name, tally in found.tallies.items() if tally.count} <= {"durable", "unknown_booked"}


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_scale_holds_for_arrivals_too(factor: float, start: Start, stub: Stub, tmp_path: Path) -> None:
    file = mine(tmp_path, RETRYING)
    started = start(f"{PROFILE}scale: {factor}\n", [stub.url], locustfile=file, operations=ORDERS)
    wait.pause(1.5)
    started.load.stop()
    due_s = np.unique(started.requests()["due_ns"] - started.load.ready_ns) / 1e9
    planned = poisson(60 * factor, (Shape(0.0, 1.0),), Random("7/arrivals"))
    assert due_s[-1] > 1
    assert due_s == pytest.approx(list(itertools.islice(planned, len(due_s))))
