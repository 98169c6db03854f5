"""Identity on real processes: phones, one-time codes, faces and step-ups, forged and replayed, in either zone."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path

import pytest
import yaml

from stormbank.identity.biometric import Biometrics
from stormbank.identity.codes import Codes
from stormbank.operations import OPERATIONS
from stormbank.signed import Signed

WRITTEN = "SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM code), (SELECT count(*) FROM movement)"


class City:
    """A ledger, two identities as of two zones, each behind a gateway of its own, and SMS and face outside."""

    def __init__(self, bank, urls, *, ledger=None, identity=None, gateway=None, services=()):
        self.bank, self.urls = bank, urls
        self.services = "".join(f",{each.role}={urls(each)}" for each in services)
        # First, so that the gateways know the epoch when they are ready.
        self.ledger = bank.ledger(**(ledger or {}))
        with bank.together():
            self._start(identity or {}, gateway or {})

    def _start(self, identity, gateway):
        bank, urls = self.bank, self.urls
        self.sms, self.face = bank.sms(), bank.face()
        parties = {"BANK_SMS_URL": urls(self.sms), "BANK_FACE_URL": urls(self.face)}
        self.identities = [bank.identity(self.ledger, **parties, **identity) for _ in range(2)]
        self.gateways = [
            bank.gateway(self.ledger, BANK_SERVICES=f"identity={urls(each)}{self.services}", **gateway)
            for each in self.identities
        ]

    @property
    def gateway(self):
        return self.gateways[0]

    def otp(self, customer=1, purpose="bind", gateway=None):
        """Ask for a code; return the challenge and the code that came by SMS."""
        fields = {"customer": customer, "password": f"pw-{customer}", "purpose": purpose}
        reply = (gateway or self.gateway).call("POST", "/v1/otp", fields)
        assert reply.status == 202, reply.body
        text = self.sms.messages(customer)[-1]
        return reply.json["challenge"], re.search(r"\b(\d{6})\b.*" + purpose, text)[1]

    def bind(self, challenge, code, *, customer=1, device="new", key=None, gateway=None):
        fields = {"customer": customer, "device": device, "challenge": challenge, "code": code}
        return (gateway or self.gateway).call("POST", "/v1/devices", fields, key=key)

    def stepup(self, token, challenge, code, movement=None, **more):
        """Answer a code for a `movement`: key and fields."""
        movement = movement or (str(uuid.uuid4()), {"to": 2, "amount": 1001})
        fields = {"challenge": challenge, "code": code, "key": movement[0], **movement[1]}
        return self.gateway.call("POST", "/v1/stepup", fields, token=token, **more)

    def login(self, device, customer=1, **how):
        how = how or {"password": f"pw-{customer}"}
        return self.gateway.call("POST", "/v1/login", {"customer": customer, "device": device, **how})

    def transfer(self, token, amount, step_up=None, *, to=2, key=None):
        return self.move("/v1/transfers", {"to": to, "amount": amount}, token, step_up, key)

    def move(self, path, body, token, step_up=None, key=None):
        headers = {} if step_up is None else {"Bank-Step-Up": step_up}
        return self.gateway.call(
            "POST", path, body, token=token, key=key or str(uuid.uuid4()), headers=headers
        )

    def written(self):
        return self.bank.postgres.query(WRITTEN)[0]


@pytest.fixture
def city(bank, urls):
    return lambda **settings: City(bank, urls, **settings)


def said(reply):
    return reply.status, reply.json["error"], reply.json["reason"]


def other_than(code, step=1):
    return f"{(int(code) + step) % 10**6:06}"


def test_a_new_phone_is_bound_by_a_code_and_then_logs_in_in_either_zone(city):
    here = city()
    assert here.login("device-1").status == 200
    assert said(here.login("new")) == (403, "forbidden", "device_unknown")
    # The code is asked for in one zone and answered in the other.
    challenge, code = here.otp(gateway=here.gateways[1])
    reply = here.bind(challenge, code)
    assert (reply.status, reply.json) == (201, {"customer": 1, "device": "new"})
    for gateway in here.gateways:
        fields = {"customer": 1, "device": "new", "password": "pw-1"}
        token = gateway.call("POST", "/v1/login", fields).json["token"]
        assert [each.call("GET", "/v1/balance", token=token).status for each in here.gateways] == [200, 200]
    assert said(here.login("new", 2)) == (403, "forbidden", "device_unknown")


def test_without_device_binding_a_stolen_password_suffices(city):
    here = city(identity={"BANK_DEVICE_BINDING": "off"})
    assert here.login("a thief's").status == 200


def test_a_code_is_used_once(city, at_once):
    here = city()
    challenge, code = here.otp()
    replies = at_once(
        [
            lambda n=n, g=g: here.bind(challenge, code, device=f"new-{n}", gateway=g)
            for n in range(4)
            for g in here.gateways
        ]
    )
    assert sorted(each.status for each in replies) == [201, *[409] * 7]
    assert {said(each)[1:] for each in replies if each.status == 409} == {("conflict", "code_used")}
    assert here.written()[:2] == (201, 1)


def test_the_same_attempt_again_is_the_same_binding(city):
    here = city()
    challenge, code = here.otp()
    key = str(uuid.uuid4())
    for gateway in here.gateways:
        assert here.bind(challenge, code, key=key, gateway=gateway).status == 201
    assert said(here.bind(challenge, code, key=key, device="another"))[2] == "code_used"
    assert said(here.bind(challenge, other_than(code), key=key))[2] == "code_used"
    assert here.written()[:2] == (201, 1)


def test_a_code_is_not_guessed(city, at_once):
    here = city()
    challenge, code = here.otp()
    guesses = [
        lambda n=n, g=g: here.bind(challenge, other_than(code, n), gateway=g)
        for n in range(1, 7)
        for g in here.gateways
    ]
    reasons = [said(each)[2] for each in at_once(guesses)]
    # Both zones count together, and guesses that come at once like those that come in turn.
    assert (reasons.count("code_wrong"), reasons.count("code_exhausted")) == (5, 7)
    assert said(here.bind(challenge, code)) == (403, "forbidden", "code_exhausted")
    # A new challenge may be answered, but not as often as anybody likes: there are twenty tries a day.
    for _ in range(3):
        challenge, code = here.otp()
        assert {said(here.bind(challenge, other_than(code, n)))[2] for n in range(1, 6)} == {"code_wrong"}
    assert said(here.bind(*here.otp()))[2] == "code_exhausted"
    assert here.bind(*here.otp(2), customer=2).status == 201, "another customer's tries are his own"
    here.bank.postgres.query("UPDATE code SET at = at - interval '25 hours' WHERE customer = 1")
    assert here.bind(*here.otp()).status == 201
    assert here.bank.postgres.query("SELECT count(*) FROM code WHERE customer = 1") == [(1,)]


def test_without_a_limit_of_tries_a_code_is_guessed(city):
    here = city(ledger={"BANK_CODE_TRIES": "off"})
    challenge, code = here.otp()
    assert {said(here.bind(challenge, other_than(code, n)))[2] for n in range(1, 26)} == {"code_wrong"}
    assert here.bind(challenge, code).status == 201


def test_forged_expired_and_misused_challenges_write_nothing(city, bank):
    here = city()
    challenge, code = here.otp()
    stepping, stepping_code = here.otp(purpose="stepup")
    token = here.gateway.login(1)
    half = here.bind("\ud800", code)
    assert (half.status, half.json["error"]) == (400, "bad_request")
    late = Codes(Signed(bank.secret), -5).challenge(1, "bind")
    abroad = Codes(Signed("another-secret-altogether"), 60).challenge(1, "bind")
    before = here.written()
    for reply, reason in (
        (here.bind(challenge[:-1] + "0", code), "challenge_invalid"),
        (here.bind(challenge.replace("c1.1.", "c1.2."), code, customer=2), "challenge_invalid"),
        (here.bind(challenge, code, customer=2), "challenge_invalid"),
        (here.bind(stepping, stepping_code), "challenge_invalid"),
        (here.bind(token, code), "challenge_invalid"),
        (here.bind("", code), "challenge_invalid"),
        (here.bind(abroad.text, abroad.code), "challenge_invalid"),
        (here.bind(late.text, late.code), "challenge_expired"),
        (here.stepup(token, challenge, code), "challenge_invalid"),
        (here.stepup(here.gateway.login(2), stepping, stepping_code), "challenge_invalid"),
    ):
        assert said(reply) == (403, "forbidden", reason)
    assert here.stepup(None, stepping, stepping_code).status == 401
    assert here.written() == before == (200, 0, 0)
    # None of that used them up.
    assert here.bind(challenge, code).status == 201
    assert here.stepup(token, stepping, stepping_code).status == 200


def test_a_request_that_makes_no_sense_is_refused_and_writes_nothing(city):
    here = city()
    challenge, code = here.otp()
    bad = [
        ("/v1/login", {"customer": 1, "device": "device-1"}),
        ("/v1/login", {"customer": 1, "device": "device-1", "password": "pw-1", "biometric": "x"}),
        ("/v1/login", {"customer": 1, "device": "", "password": "pw-1"}),
        ("/v1/login", {"customer": 1, "device": "d" * 65, "password": "pw-1"}),
        ("/v1/login", {"customer": 1.0, "device": "device-1", "password": "pw-1"}),
        ("/v1/login", b"[" * 4000),
        ("/v1/login", b"\xff"),
        ("/v1/otp", {"customer": 1, "password": "pw-1", "purpose": "fun"}),
        ("/v1/otp", {"customer": 1, "password": "pw-1"}),
        ("/v1/devices", {"customer": 1, "device": "a\x00b", "challenge": challenge, "code": code}),
        ("/v1/devices", {"customer": 1, "device": "a", "challenge": challenge, "code": code[:5]}),
        ("/v1/devices", {"customer": 1, "device": "a", "challenge": challenge, "code": "+" + code[1:]}),
        ("/v1/devices", {"customer": 1, "device": "a", "challenge": challenge, "code": int(code)}),
        ("/v1/face", {"customer": 1, "device": "device-1", "image": ""}),
        ("/v1/face", {"customer": 1, "device": "device-1", "image": "x" * 3001}),
        ("/v1/face", {"customer": "1", "device": "device-1", "image": "x"}),
    ]
    for path, body in bad:
        reply = here.gateway.call("POST", path, body)
        assert (reply.status, reply.json["error"]) == (400, "bad_request"), (path, body, reply.body)
        assert here.gateway.call("GET", path).status == 405
    large = b'{"customer": 1, "device": "device-1", "password": "' + b"x" * 5000 + b'"}'
    assert said(here.gateway.call("POST", "/v1/login", large)) == (413, "too_large", "body")
    key = here.gateway.call(
        "POST",
        "/v1/devices",
        {"customer": 1, "device": "a", "challenge": challenge, "code": code},
        key="not a key",
    )
    assert said(key) == (400, "bad_request", "idempotency_key")
    for customer in (0, -1, 201, 2**63, 10**30):
        otp = {"customer": customer, "password": "x", "purpose": "bind"}
        assert said(here.gateway.call("POST", "/v1/otp", otp)) == (401, "unauthorized", "credentials")
        assert here.login("d", customer).status == 401
    assert here.written() == (200, 0, 0)
    assert len(here.sms.messages(1)) == 1
    for process in (*here.identities, *here.gateways, here.ledger):
        assert "Traceback" not in process.log.read_text()


def test_a_ledger_that_does_not_take_identitys_word_is_unavailable_and_no_wrong_password(bank, urls, city):
    """Clocks that are further apart than a word lasts look like another secret: no phone mends that by logging in."""
    here = city(ledger={"BANK_TOKEN_SECRET": "fedcba9876543210-lab"})
    for reply in (
        here.login("device-1"),
        here.gateway.call("POST", "/v1/otp", {"customer": 1, "password": "pw-1", "purpose": "bind"}),
    ):
        assert said(reply) == (503, "unavailable", "ledger")
        assert reply.headers["Retry-After"] == "1"
    # And whoever takes the customer for another cell's.
    two = {
        "BANK_CELLS": "cell0,cell1",
        "BANK_LEDGERS": f"cell0={urls(here.ledger)},cell1={urls(here.ledger)}",
    }
    identity = bank.identity(**two)
    fields = {"customer": 1, "device": "device-1", "password": "pw-1"}
    assert said(identity.call("POST", "/v1/login", fields)) == (503, "unavailable", "ledger")


def test_nobody_is_sent_a_code_without_the_password(city):
    here = city()
    reply = here.gateway.call("POST", "/v1/otp", {"customer": 1, "password": "pw-2", "purpose": "bind"})
    assert said(reply) == (401, "unauthorized", "credentials")
    assert here.sms.messages(1) == []


def test_a_face_is_a_login_on_its_phone_for_a_while(city, bank):
    here = city()
    image = {"customer": 1, "device": "device-1", "image": "face-1"}
    biometric = here.gateway.call("POST", "/v1/face", image).json["biometric"]
    assert here.login("device-1", biometric=biometric).json["customer"] == 1
    stranger = here.gateway.call("POST", "/v1/face", {**image, "image": "face-2"})
    assert said(stranger) == (401, "unauthorized", "face_unknown")
    unknown = here.gateway.call("POST", "/v1/face", {**image, "device": "new"}).json["biometric"]
    old = Biometrics(Signed(bank.secret), -5).issue(1, "device-1")
    for reply, status, reason in (
        (here.login("device-2", 2, biometric=biometric), 401, "biometric_invalid"),
        (here.login("new", biometric=biometric), 401, "biometric_invalid"),
        (here.login("device-1", biometric=here.gateway.login(1)), 401, "biometric_invalid"),
        (here.login("device-1", biometric=old), 401, "biometric_expired"),
        (here.login("new", biometric=unknown), 403, "device_unknown"),
    ):
        assert (reply.status, reply.json["reason"]) == (status, reason)


def test_a_large_transfer_needs_a_step_up(city):
    here = city(gateway={"BANK_STEP_UP_ABOVE": "1000"})
    token = here.gateway.login(1)
    assert here.transfer(token, 1000).status == 201
    refused = here.transfer(token, 1001)
    assert said(refused) == (403, "forbidden", "step_up_required")
    assert refused.json["above"] == 1000
    challenge, code = here.otp(purpose="stepup")
    key, order = str(uuid.uuid4()), str(uuid.uuid4())
    wanted = (order, {"to": 2, "amount": 1001})
    step_up = here.stepup(token, challenge, code, wanted, key=key).json["step_up"]
    # For this movement and no other, whatever is changed.
    for other in (
        lambda: here.transfer(token, 1001, step_up),
        lambda: here.transfer(token, 1002, step_up, key=order),
        lambda: here.transfer(token, 1001, step_up, to=3, key=order),
        lambda: here.move("/v1/payments", {"payee": "2", "amount": 1001}, token, step_up, order),
    ):
        assert said(other()) == (403, "forbidden", "step_up_invalid")
    assert here.transfer(token, 1001, step_up, key=order).status == 201
    again = here.transfer(token, 1001, step_up, key=order)
    assert (again.status, again.json["repeated"]) == (201, True)
    # The same attempt has the same answer, which lasts no longer; another one has none, and nor has another movement.
    assert here.stepup(token, challenge, code, wanted, key=key).json["step_up"] == step_up
    assert said(here.stepup(token, challenge, code, wanted)) == (409, "conflict", "code_used")
    more = (order, {"to": 2, "amount": 5001})
    assert said(here.stepup(token, challenge, code, more, key=key)) == (409, "conflict", "code_used")
    for wrong, reason in (
        (step_up[:-1] + "0", "step_up_invalid"),
        (token, "step_up_invalid"),
        (challenge, "step_up_invalid"),
        ("\xff", "step_up_invalid"),
    ):
        assert said(here.transfer(token, 1001, wrong))[2] == reason
    other = {"to": 1, "amount": 1001}
    reply = here.gateway.call(
        "POST",
        "/v1/transfers",
        other,
        token=here.gateway.login(2),
        key=str(uuid.uuid4()),
        headers={"Bank-Step-Up": step_up},
    )
    assert said(reply)[2] == "step_up_invalid"
    assert here.written()[2] == 2


def test_as_shipped_a_large_transfer_passes_with_a_step_up_and_the_largest_does_not(city, bank):
    """Both protections on, with the values that are shipped: what needs a step-up must be something that is booked."""
    shipped = Path(__file__).parents[3] / "topology/kubernetes/base/bank/region/kustomization.yaml"
    literals = yaml.safe_load(shipped.read_text())["configMapGenerator"][0]["literals"]
    settings = dict(each.split("=", 1) for each in literals)
    env = {name: settings[name] for name in settings if name.startswith(("BANK_RISK", "BANK_STEP_UP"))}
    above = int(env["BANK_STEP_UP_ABOVE"])
    assert int(env["BANK_RISK_CLOSED_ABOVE"]) < above, (
        "without a score nothing is booked that needs a step-up"
    )
    here = city(gateway=env, services=[bank.service("risk", **env)])
    token = here.gateway.login(1)
    assert said(here.transfer(token, above + 1)) == (403, "forbidden", "step_up_required")

    def stepped_up(amount):
        order = str(uuid.uuid4())
        wanted = (order, {"to": 2, "amount": amount})
        step_up = here.stepup(token, *here.otp(purpose="stepup"), wanted).json["step_up"]
        return here.transfer(token, amount, step_up, key=order)

    for amount in (above + 1, 4 * above):
        assert stepped_up(amount).status == 201
    assert here.gateway.metric("bank_scores_total", verdict="pass") == 2
    assert said(stepped_up(5 * above + 1)) == (422, "refused", "risk")
    assert here.written()[2] == 2


def test_a_step_up_ends(city, eventually):
    here = city(gateway={"BANK_STEP_UP_ABOVE": "1000"}, identity={"BANK_STEP_UP_S": "1"})
    token = here.gateway.login(1)
    key = str(uuid.uuid4())
    wanted = (key, {"to": 2, "amount": 1001})
    step_up = here.stepup(token, *here.otp(purpose="stepup"), wanted).json["step_up"]
    ended = lambda: here.transfer(token, 1001, step_up, key=key)  # noqa: E731
    refused = eventually(lambda: (reply := ended()).status == 403 and reply, 5, "it ends")
    assert said(refused) == (403, "forbidden", "step_up_expired")


def test_a_large_payment_needs_a_step_up_too(city):
    here = city(gateway={"BANK_STEP_UP_ABOVE": "1000"})
    token, key, body = here.gateway.login(1), str(uuid.uuid4()), {"payee": "water", "amount": 1001}
    assert said(here.move("/v1/payments", body, token)) == (403, "forbidden", "step_up_required")
    reply = here.stepup(token, *here.otp(purpose="stepup"), (key, body))
    assert here.move("/v1/payments", body, token, reply.json["step_up"], key).status == 201


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"key": "x"}, "idempotency_key"), ({"amount": "5"}, "field_type"), ({"payee": "x"}, "unknown_field")],
)
def test_a_step_up_says_what_for(city, changed, reason):
    here = city()
    fields = {"challenge": "c", "code": "123456", "key": str(uuid.uuid4()), "to": 2, "amount": 5, **changed}
    reply = here.gateway.call("POST", "/v1/stepup", fields, token=here.gateway.login(1))
    assert said(reply) == (400, "bad_request", reason)


def test_without_step_ups_a_stolen_session_empties_the_account(city):
    here = city(gateway={"BANK_STEP_UP_ABOVE": "off"})
    assert here.transfer(here.gateway.login(1), 100_000_000).status == 201


def test_internal_operations_are_not_there_for_phones(city, bank):
    here = city()
    token = here.gateway.login(1)
    for operation in OPERATIONS:
        if not operation.internal or operation.service != "ledger":
            continue
        for process in (here.gateway, here.identities[0]):
            for method in ("GET", "POST", "PUT"):
                reply = process.call(method, operation.path, {}, token=token, headers=bank.word(1))
                assert (reply.status, reply.json["error"]) == (404, "not_found")
        # Nor are they without somebody's word where they are.
        reply = here.ledger.call(operation.method, operation.path, {}, headers={"Bank-Customer": token})
        assert said(reply) == (401, "unauthorized", "token_invalid")
    assert here.ledger.call("POST", "/v1/login", {}).status == 404
    assert here.ledger.call("GET", "/v1/balance", token=bank.word(1)["Bank-Customer"]).status == 401
    assert here.written() == (200, 0, 0)


def test_a_code_is_tried_under_the_cells_epoch_only(city, bank, eventually):
    here = city()
    challenge, code = here.otp()
    fields = {"customer": 1, "device": "new", "challenge": challenge, "code": code}
    for epoch in ({}, {"Bank-Epoch": "1.7"}):
        reply = here.identities[0].call("POST", "/v1/devices", fields, headers=epoch)
        assert said(reply) == (503, "unavailable", "stale_epoch")
    assert here.written() == (200, 0, 0)
    assert bank.remap("city1-b").returncode == 0
    # A gateway that has not followed yet is told so, and then has.
    reply = eventually(lambda: (r := here.bind(challenge, code)).status != 503 and r, 3, "it is bound")
    assert reply.status == 201


def test_an_identity_killed_under_way_is_not_noticed(city):
    here = city()
    both = here.bank.gateway(here.ledger, BANK_SERVICES=f"identity={here.urls(*here.identities)}")
    for _ in range(4):
        assert both.login(1)
    challenge, code = here.otp(gateway=both)
    here.identities[0].stop()
    for customer in range(1, 21):
        assert both.login(customer)
    assert here.bind(challenge, code, gateway=both).status == 201


def test_a_gateway_that_knows_no_identity_says_so(bank):
    gateway = bank.gateway(bank.ledger(), BANK_SERVICES="")
    reply = gateway.call("POST", "/v1/login", {"customer": 1, "device": "device-1", "password": "pw-1"})
    assert said(reply) == (503, "unavailable", "identity")
    assert gateway.call("GET", "/readyz").status == 200


def test_login_says_that_the_books_are_lost(city):
    here = city()
    here.ledger.stop()
    reply = here.login("device-1")
    assert said(reply) == (503, "unavailable", "ledger")
    assert reply.took_s < 1.0
    assert here.identities[0].call("GET", "/servez").status == 503
    assert here.identities[0].call("GET", "/readyz").status == 200


def test_the_trouble_of_a_party_can_be_changed_by_whoever_administers_it(city):
    here = city()
    assert here.sms.trouble(error_share=1).json["error_share"] == 1
    otp = {"customer": 1, "password": "pw-1", "purpose": "bind"}
    assert said(here.gateway.call("POST", "/v1/otp", otp)) == (503, "unavailable", "sms")
    assert here.sms.trouble(error_share=0.0, delay_ms=300).status == 200
    began_s = time.monotonic()
    here.otp()
    assert time.monotonic() - began_s > 0.3
    wrong = here.sms.trouble(error_share=2)
    assert said(wrong) == (400, "bad_request", "value")
    assert wrong.json["detail"] == "error_share is not within 0 to 1"
    # Not by whoever uses it.
    assert here.sms.call("PUT", "/admin/trouble", {"delay_ms": 1}).status == 404
    assert here.sms.call("DELETE", "/messages").status == 405
    assert here.sms.call("GET", "/messages?customer=x").status == 400
    assert here.identities[0].metric("bank_dependency_calls_total", dependency="sms", outcome="failed") == 1
