"""The probes that the Django application can be asked: each is a pair of equal tests."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from shop.views import buy, register

committing = {"transaction": True, "serialized_rollback": True}
pytestmark = pytest.mark.django_db(**committing if os.environ["PEERS_WAY"] == "transactional_db" else {})
twice = pytest.mark.parametrize("time", [1, 2])


def transaction_id() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        return cursor.fetchone()[0]


@twice
def test_commit(time):
    """A commit ends the transaction: what follows has an id of its own."""
    first = transaction_id()
    register("someone@example.com")
    assert transaction_id() != first


@twice
def test_sequence(time):
    """Keys begin at 1."""
    assert buy("someone@example.com") == 1
