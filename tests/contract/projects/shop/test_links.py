"""Sequences of linked requests, each with one fault of the orders."""

import pytest
from pytest_crucible.contract import api_contract
from test_growth import test_user  # noqa: F401

test_cancel = api_contract(links=True, exclude=["POST */pay", "DELETE *"], examples=30)
test_pay = api_contract(links=True, exclude=["POST */cancel", "DELETE *"], examples=30)
test_delete = api_contract(links=True, exclude=["POST */cancel", "POST */pay"], examples=30)
test_unlinked = api_contract(links=True, exclude=["* /orders/*"])
test_refused = pytest.mark.crucible(isolation="rollback")(api_contract(links=True))
