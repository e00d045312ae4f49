import pytest
from pydantic import ValidationError

from ledger.schemas import AccountOpening, Registration, TransferOrder


def test_email_is_normalised():
    """Addresses are compared without case and surrounding spaces."""
    assert Registration(email=" Alice@Example.ORG ", password="correct horse").email == "alice@example.org"


@pytest.mark.parametrize("amount", [0, -1, 2**53])
def test_amount_is_positive_and_exact(amount: int):
    """Nothing, less than nothing, and what JavaScript would round are no amounts."""
    with pytest.raises(ValidationError):
        TransferOrder(source_id=1, target_id=2, amount=amount)


@pytest.mark.parametrize("code", ["eur", "EURO", ""])
def test_currency_code_has_three_capitals(code: str):
    """Currencies are named as ISO 4217 does."""
    with pytest.raises(ValidationError):
        AccountOpening(currency=code)
