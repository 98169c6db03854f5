"""What identity signs: claims, challenges and codes, biometric and step-up tokens. Nobody else can make them."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stormbank.identity.biometric import Biometrics
from stormbank.identity.codes import PURPOSES, Codes, is_right
from stormbank.operations import OPERATIONS, addresses_of
from stormbank.problem import BadRequest, Forbidden, Problem, Unauthorized
from stormbank.roles import ROLES
from stormbank.session import CUSTOMER_HEADER, Sessions
from stormbank.settings.reader import SettingsError
from stormbank.signed import BIOMETRIC, CHALLENGE, SERVICE, SESSION, STEP_UP, ClaimError, Signed
from stormbank.stepup import HEADER, StepUps, order_of

SECRET = "0123456789abcdef"
ELSEWHERE = "fedcba9876543210"
KINDS = (SESSION, SERVICE, CHALLENGE, BIOMETRIC, STEP_UP)
LATER = 4_000_000_000

customers = st.integers(1, 2**63 - 1)
parts = st.lists(st.text(st.characters(exclude_characters=".", codec="ascii"), max_size=20), max_size=3)
anything = st.text(st.characters(), max_size=120)  # halves of surrogate pairs too, as JSON may hold them


@given(st.sampled_from(KINDS), parts)
def test_a_claim_is_read_as_it_was_made(kind, told):
    claim = Signed(SECRET).read(kind, Signed(SECRET).make(kind, *told, expires=LATER))
    assert (claim.parts, claim.expires) == (tuple(told), LATER)


@given(st.sampled_from(KINDS), anything)
def test_nothing_made_up_is_a_claim(kind, text):
    with pytest.raises(ClaimError, match="invalid"):
        Signed(SECRET).read(kind, text)


@given(st.sampled_from(KINDS), customers, st.data())
def test_a_claim_with_one_character_changed_is_none(kind, customer, data):
    claim = Signed(SECRET).make(kind, str(customer), expires=LATER)
    at = data.draw(st.integers(0, len(claim) - 1))
    other = data.draw(st.characters(codec="latin-1"))
    assume(other != claim[at])
    with pytest.raises(ClaimError, match="invalid"):
        Signed(SECRET).read(kind, claim[:at] + other + claim[at + 1 :])


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), customers)
def test_a_claim_of_one_kind_is_none_of_another_and_none_under_another_secret(kind, other, customer):
    claim = Signed(SECRET).make(kind, str(customer), expires=LATER)
    if other != kind:
        with pytest.raises(ClaimError, match="invalid"):
            Signed(SECRET).read(other, claim)
    with pytest.raises(ClaimError, match="invalid"):
        Signed(ELSEWHERE).read(kind, claim)


@given(st.sampled_from(KINDS), st.integers(2, 10**9))
def test_a_claim_ends(kind, ago_s):
    with pytest.raises(ClaimError, match="expired"):
        Signed(SECRET).read(kind, Signed(SECRET).make(kind, "1", expires=int(time.time()) - ago_s))


def test_a_services_word_is_no_session_and_a_session_no_services_word():
    sessions = Sessions(SECRET, 60)
    word, token = sessions.issue_for_service(7), sessions.issue(7)
    assert sessions.customer_behind({CUSTOMER_HEADER: word}) == 7
    assert sessions.customer_behind({"Authorization": f"Bearer {token}"}) == 7
    for headers in (
        {CUSTOMER_HEADER: token},
        {"Authorization": f"Bearer {word}"},
        {CUSTOMER_HEADER: "7"},
        {},
    ):
        with pytest.raises(Unauthorized):
            sessions.customer_behind(headers)


@given(customers, customers, st.sampled_from(PURPOSES), st.sampled_from(PURPOSES))
def test_a_challenge_is_good_for_its_customer_and_purpose_only(customer, other, purpose, instead):
    codes = Codes(Signed(SECRET), 60)
    made = codes.challenge(customer, purpose)
    # Another process, another zone: it knows the secret and nothing else.
    assert Codes(Signed(SECRET), 1).opened(made.text, customer, purpose) == made
    for wrong in ((other, purpose), (customer, instead), (other, instead)):
        if wrong != (customer, purpose):
            with pytest.raises(Forbidden, match="challenge_invalid"):
                codes.opened(made.text, *wrong)
    with pytest.raises(Forbidden, match="challenge_invalid"):
        Codes(Signed(ELSEWHERE), 60).opened(made.text, customer, purpose)


@given(customers, st.integers(0, 999_999))
def test_one_code_is_right(customer, number):
    made = Codes(Signed(SECRET), 60).challenge(customer, "bind")
    assert is_right(made, made.code)
    assert is_right(made, f"{number:06}") == (f"{number:06}" == made.code)


def test_codes_are_of_six_digits_and_differ():
    codes = Codes(Signed(SECRET), 60)
    made = [codes.challenge(1, "bind") for _ in range(2000)]
    assert {len(each.code) for each in made} == {6}
    assert len({each.key for each in made}) == 2000
    # Of 2,000 drawn from a million two are the same about twice.
    assert len({each.code for each in made}) > 1980
    assert {each.code[0] for each in made} == set("0123456789")
    # What is in the challenge says nothing of it.
    assert not [each for each in made if each.code in each.text.rpartition(".")[2][:16]]


@given(anything)
def test_what_cannot_be_a_code_is_a_bad_request(text):
    assume(not (len(text) == 6 and text.isascii() and text.isdigit()))
    with pytest.raises(BadRequest):
        is_right(Codes(Signed(SECRET), 60).challenge(1, "bind"), text)


def test_a_challenge_ends():
    made = Codes(Signed(SECRET), -5).challenge(1, "bind")
    with pytest.raises(Forbidden, match="challenge_expired"):
        Codes(Signed(SECRET), 60).opened(made.text, 1, "bind")


@given(customers, st.text(min_size=1, max_size=64), customers, st.text(min_size=1, max_size=64))
def test_a_face_is_good_for_its_customer_on_its_phone_only(customer, device, other, elsewhere):
    biometrics = Biometrics(Signed(SECRET), 60)
    token = biometrics.issue(customer, device)
    biometrics.demand(token, customer, device)
    if (other, elsewhere) != (customer, device):
        with pytest.raises(Unauthorized, match="biometric_invalid"):
            biometrics.demand(token, other, elsewhere)
    with pytest.raises(Unauthorized, match="biometric_expired"):
        biometrics.demand(Biometrics(Signed(SECRET), -5).issue(customer, device), customer, device)


KEY = uuid.uuid4()


def moving(amount):
    return json.dumps({"to": 2, "amount": amount}).encode()


@given(st.integers(0, 10**12), st.integers(-5, 10**12 + 5), customers)
def test_a_step_up_is_demanded_above_the_limit_only(above, amount, customer):
    step_ups = StepUps(SECRET, above)
    body = moving(amount)
    if amount <= above:
        step_ups.demand(customer, KEY, body, {})
        return
    with pytest.raises(Forbidden, match="step_up_required") as refused:
        step_ups.demand(customer, KEY, body, {})
    assert refused.value.fields["above"] == above
    order = order_of(KEY, {"to": 2, "amount": amount})
    step_ups.demand(customer, KEY, body, {HEADER: step_ups.issue(customer, order, LATER)})
    others = [
        order_of(uuid.uuid4(), {"to": 2, "amount": amount}),
        order_of(KEY, {"to": 3, "amount": amount}),
        order_of(KEY, {"payee": "2", "amount": amount}),
        order_of(KEY, {"to": 2, "amount": amount + 1}),
    ]
    for wrong in (
        step_ups.issue(customer + 1, order, LATER),
        StepUps(ELSEWHERE).issue(customer, order, LATER),
        *(step_ups.issue(customer, each, LATER) for each in others),
        "",
        "x",
    ):
        with pytest.raises(Forbidden, match="step_up_invalid"):
            step_ups.demand(customer, KEY, body, {HEADER: wrong})
    with pytest.raises(Forbidden, match="step_up_expired"):
        step_ups.demand(customer, KEY, body, {HEADER: step_ups.issue(customer, order, int(time.time()) - 5)})
    StepUps(SECRET, None).demand(customer, KEY, body, {})


@given(st.one_of(st.binary(max_size=40), st.just(b"[" * 4000)))
def test_a_body_that_says_no_amount_is_for_the_ledger_to_refuse(body):
    StepUps(SECRET, 1).demand(1, KEY, body, {})


def test_what_is_internal_is_not_the_gateways_to_pass_on():
    internal = {each for each in OPERATIONS if each.internal}
    assert {each.path.split("/")[1] for each in internal} == {"internal"}
    assert not internal & set(addresses_of("gateway").values())
    assert {each.name for each in internal & set(addresses_of("ledger").values())} >= {
        "credentials",
        "bind_device",
        "try_code",
    }
    assert not internal & set(addresses_of("identity").values())


def test_refusals_of_identity_have_a_status_of_their_own():
    assert [kind.status for kind in Problem.__subclasses__()].count(403) == 1
    assert Forbidden("device_unknown").fields == {"error": "forbidden", "reason": "device_unknown"}


ENV = {"BANK_TOKEN_SECRET": SECRET}


@pytest.mark.parametrize(
    ("role", "name", "value", "says"),
    [
        ("identity", "BANK_DEVICE_BINDING", "yes", "on or off"),
        ("identity", "BANK_IDENTITY_BULKHEADS", "", None),
        ("identity", "BANK_CODE_S", "3601", "at most 3600"),
        ("identity", "BANK_SMS_URL", "sms:8101", "http://"),
        ("identity", "BANK_SMS_CALLS", "0", "at least 1"),
        ("identity", "BANK_LEDGERS", "cell1=http://x:1", "BANK_CELLS names"),
        ("ledger", "BANK_CODE_TRIES", "0", "at least 1"),
        ("ledger", "BANK_CODE_TRIES", "off", None),
        ("gateway", "BANK_STEP_UP_ABOVE", "-1", "at least 0"),
        ("gateway", "BANK_STEP_UP_ABOVE", "off", None),
        ("sms", "BANK_SMS_ERROR_SHARE", "1.1", "at most 1"),
        ("sms", "BANK_SMS_ADMIN", "8111", "HOST:PORT"),
        ("sms", "BANK_SMS_ADMIN", "off", None),
        ("face", "BANK_FACE_DELAY_MS", "-1", "at least 0"),
    ],
)
def test_settings(role, name, value, says):
    if says is None:
        assert ROLES[role].read({**ENV, name: value})
        return
    with pytest.raises(SettingsError) as caught:
        ROLES[role].read({**ENV, name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)


def test_what_protects_is_on_unless_it_is_said_to_be_off():
    identity, ledger, gateway = (ROLES[role].read(ENV) for role in ("identity", "ledger", "gateway"))
    assert (identity.binding, identity.bulkheads, ledger.code_tries) == (True, True, 5)
    assert gateway.step_up_above == 1_000_000
    assert identity.sms.url is identity.face.url is None
    assert uuid.UUID(Codes(Signed(SECRET), identity.code_s).challenge(1, "bind").key.hex)
