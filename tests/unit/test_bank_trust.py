"""A bank process loads the world's certificate authorities only when it has somebody to ask over TLS."""

import os

import pytest

from stormbank.__main__ import _trust_no_more_than_needed


@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({"BANK_SMS_URL": "http://sms:8101"}, os.devnull),
        ({"BANK_SERVICES": "risk=http://risk:8092", "BANK_SMS_URL": "https://sms.example"}, None),
        ({"SSL_CERT_FILE": "/own/ca.crt"}, "/own/ca.crt"),
    ],
)
def test_authorities_are_for_whoever_is_asked_over_tls(monkeypatch, settings, file):
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    _trust_no_more_than_needed()
    assert os.environ.get("SSL_CERT_FILE") == file
