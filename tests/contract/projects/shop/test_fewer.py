"""The contract with as many requests as the faults of the shop need, to be run often."""

from pytest_crucible.contract import api_contract

test_contract = api_contract(exclude=["GET *", "POST /parcels/*", "POST /writes-nothing"], examples=20)
