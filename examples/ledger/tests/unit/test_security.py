from datetime import timedelta

import pytest

from ledger.errors import NotAuthenticated
from ledger.security import create_access_token, hash_password, read_access_token, verify_password


def test_password_is_verified():
    """The password that was hashed is recognised."""
    assert verify_password("correct horse", hash_password("correct horse"))


def test_other_password_is_refused():
    """Any other password is not."""
    assert not verify_password("battery staple", hash_password("correct horse"))


def test_equal_passwords_have_different_hashes():
    """Each hash has a salt of its own."""
    assert hash_password("correct horse") != hash_password("correct horse")


def test_token_names_its_user():
    """A token leads back to the user it was made for."""
    assert read_access_token(create_access_token(7)) == 7


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="not a token"),
        pytest.param(create_access_token(7)[:-4] + "AAAA", id="tampered with"),
        pytest.param(create_access_token(7, expires_delta=timedelta(seconds=-1)), id="expired"),
    ],
)
def test_invalid_token_is_refused(token: str):
    """A token that this service did not sign, or that has expired, names no user."""
    with pytest.raises(NotAuthenticated):
        read_access_token(token)
