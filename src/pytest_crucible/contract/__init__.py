"""The contract of the API: every operation of the OpenAPI document, with requests that Schemathesis draws from it.

::

    from pytest_crucible.contract import test_contract

tests each operation of ``crucible_app``; ``api_contract(…)`` makes such a test with options.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import api_contract

    test_contract: Callable[..., Any]

__all__ = ["api_contract", "test_contract"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    if find_spec("schemathesis") is None:
        raise ImportError(
            "pytest_crucible.contract needs Schemathesis 4, which is not installed.\n"
            "Install it: pip install 'pytest-crucible[contract]'"
        )
    api_contract = import_module(".contract", __name__).api_contract
    # A new function for each importing module: pytest puts marks on the function itself.
    return api_contract if name == "api_contract" else api_contract()
