"""The contract with all of its options."""

from pytest_crucible.contract import api_contract

test_contract = api_contract(
    exclude=["POST /open*", "POST /refuses*", "POST /fails", "POST /me/refuses"],
    secured=["* /me/*"],
    may_write=["attempts"],
    allowed=[503],
    examples=20,
)
test_responses = api_contract(exclude=["POST *"], responses=True, examples=20)
