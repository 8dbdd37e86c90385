"""What a server repeats of a secret is not shown, in whatever form a message has it."""

from __future__ import annotations

import pytest

from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.secret import Secret, holds_secret


@pytest.mark.parametrize("shown", ["https://Pa5sW0rd.example", "https://pa5sw0rd.example", "PA5SW0RD"])
def test_case(shown: str) -> None:
    """A host's name is in lower case where it is shown, and a secret in it is none the less one."""
    secret = Secret("Pa5sW0rd")
    assert "5sw0rd" not in str(ContentError(shown)).lower()
    del secret


@pytest.mark.parametrize("password", ["pa\\ss", "pa\tss", "p'a\\s's"])
def test_quoted(password: str) -> None:
    """A message that quotes what a server says does not show a secret with characters that are quoted."""
    secret = Secret(password)
    assert str(ContentError(f"the type {'x/' + password!r}")) in {"the type 'x/***'", 'the type "x/***"'}
    del secret


@pytest.mark.parametrize(
    "spelled",
    [
        "p%C3%A4%2Fs%2Bs%20w%22%5Crd",
        "p%C3%A4%2Fs%2Bs+w%22%5Crd",
        r"p\u00e4/s+s w\"\\rd",
        r"p\u00e4\/s+s w\"\\rd",  # PHP writes a slash so
    ],
    ids=["url", "form", "json", "json-slash"],
)
def test_spelled_by_a_server(spelled: str) -> None:
    """A server that repeats a secret as URLs, forms and JSON spell it does not show it."""
    secret = Secret('pä/s+s w"\\rd')
    assert "w" not in str(ContentError(f"x {spelled} y"))
    assert holds_secret(f'{{"a": "{spelled}"}}'.encode())
    del secret


def test_kept_error() -> None:
    """An error that is kept shows no secret, even once nobody needs that secret any more."""
    secret = Secret("Pa5sW0rd")
    error = ContentError("it says Pa5sW0rd").alone()
    del secret
    assert str(error) == "it says ***"
