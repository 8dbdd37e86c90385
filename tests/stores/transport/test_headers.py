"""Headers that servers send: how long to wait, how to log in."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesync_cli.stores.registry.login.challenge import parse_challenge
from imagesync_cli.stores.transport.http import retry_after_s

REALM = "https://auth.example.com/token"


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("86400", 86400.0), ("9" * 99, 31536000.0)])
def test_wait_in_seconds(text: str, seconds: float) -> None:
    """A server may ask to wait for so many seconds; more than a year is not told in full."""
    assert retry_after_s(text) == seconds


def test_wait_until_a_date() -> None:
    """A server may ask to wait until a date; one in the past asks for nothing."""
    wait_s = retry_after_s(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert wait_s is not None
    assert 90 <= wait_s <= 100
    assert retry_after_s(email.utils.formatdate(time.time() - 100, usegmt=True)) is None


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "000", "1.5", "٣", "Wed, 99 Oct 2015 07:28:00 GMT"])
def test_no_wait(text: str) -> None:
    """What is neither a number nor a date asks for nothing."""
    assert retry_after_s(text) is None


@given(st.text())
def test_everyretry_after_s(text: str) -> None:
    """Any Retry-After is a wait or none, never a crash."""
    wait_s = retry_after_s(text)
    assert wait_s is None or wait_s >= 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([f'Bearer realm="{REALM}",service="r"'], ("bearer", REALM, "r", set())),
        ([f"bearer realm={REALM}"], ("bearer", REALM, "", set())),
        (
            [f'Bearer realm="{REALM}", service="r", scope="repository:a:pull,push repository:b:pull"'],
            ("bearer", REALM, "r", {"repository:a:pull,push", "repository:b:pull"}),
        ),
        (['Basic realm="Registry Realm"'], ("basic", "Registry Realm", "", set())),
        (['Basic realm="x"', f'Bearer realm="{REALM}"'], ("bearer", REALM, "", set())),
        ([f'Basic realm="x", Bearer realm="{REALM}",service="r"'], ("bearer", REALM, "r", set())),
        ([f'Bearer realm="{REALM}",error="invalid_token"'], ("bearer", REALM, "", set())),
    ],
)
def test_challenge(headers: list[str], expected: tuple[str, str, str, set[str]]) -> None:
    """A registry says how to log in, in one header or several; a token is preferred to a password."""
    found = parse_challenge(headers)
    assert found is not None
    assert (found.scheme, found.realm, found.service, set(found.scopes)) == expected


@pytest.mark.parametrize("headers", [[], [""], ["Negotiate"], ['Digest realm="x"']])
def test_challenge_that_nobody_can_answer(headers: list[str]) -> None:
    """A scheme that imagesync does not speak is no challenge to it."""
    assert parse_challenge(headers) is None


@given(st.lists(st.text(alphabet='BearBsicealm="\\, x') | st.text(), max_size=3))
def test_every_challenge(headers: list[str]) -> None:
    """Any WWW-Authenticate is a challenge or none, never a crash."""
    found = parse_challenge(headers)
    assert found is None or found.scheme in ("basic", "bearer")
