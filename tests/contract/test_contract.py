"""The contract test through the whole plugin, on a shop whose operations have one fault each."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

FAULTY = {
    "POST /fails": "raised ZeroDivisionError",
    "POST /answers-503": "answered 503",
    "POST /refuses": "answered 409, but public.items changed",
    "POST /refuses/sync": "answered 422, but public.items changed",
    "POST /logs": "answered 409, but public.attempts changed",
    "POST /ddl": "answered 409, but the schema changed",
    "POST /open": "left a transaction open",
    "POST /open/sync": "left a transaction open",
    "POST /me/refuses": "answered 403, but public.items changed",
}
SOUND = [
    "GET /health",
    "POST /sound",
    "POST /sound/sync",
    "POST /writes-nothing",
    "POST /me/refuses-no credentials",
    "POST /me/writes-first",
    "POST /parcels/{parcel_id}",
    "GET /items/{item_id}",
]


def failed(output: str) -> set[str]:
    return set(re.findall(r"^FAILED \S*test_\w+\.py::test_\w+\[(.*?)\](?: - |$)", output, re.MULTILINE))


def pasted(output: str) -> list[str]:
    """Return the tests that the errors show."""
    found = re.findall(r"As a test:\n[ ]*\n(.*?)\n(?=All traceback|\S)", output, re.DOTALL)
    return [textwrap.dedent(text) for text in found]


def test_faults_are_found(run_shop, shop: Path):
    """Each fault is found, and no other operation fails; the tests to paste fail likewise."""
    output = run_shop("test_contract.py", code=1)
    assert failed(output) == set(FAULTY)
    assert f"{len(FAULTY)} failed, {len(SOUND)} passed" in output
    for operation, reaction in FAULTY.items():
        assert re.search(rf"ContractError: {re.escape(operation)} .*{re.escape(reaction)}", output)
    assert re.search(r"app.py:\d+: in fails", output)  # the cause
    assert output.count("""--data-binary '{"name": "a", "price": """) == len(FAULTY)  # the smallest requests
    assert len(pasted(output)) == len(FAULTY)
    (shop / "test_pasted.py").write_text("\n\n".join(pasted(output)))
    again = run_shop("test_pasted.py", code=1)
    assert f"{len(FAULTY)} failed, " in again  # and one transaction is left open
    assert "ZeroDivisionError" in again and "A checkpoint cannot begin while a transaction is open" in again


def test_options(run_shop):
    """Operations are left out, asked without credentials, may write and answer what is named; documents are checked."""
    output = run_shop("test_options.py", code=1)
    assert failed(output) == {
        "POST /me/writes-first-no credentials",
        "POST /parcels/{parcel_id}",
        "GET /items/{item_id}",
    }
    assert "/parcels/2c9bd1ab-39ae-4a3b-9c11-0d4b8cc3b2f0?weight=0" in output
    assert "without credentials answered 401, but public.items changed" in output
    assert "GET /items/{item_id} answered 404, which its OpenAPI document does not describe" in output
    assert "assert response.status_code in {200, 422}" in output


def test_without_a_user(run_shop, shop: Path):
    """A project without test_user, here on anyio, is told what that leaves out; other tests print their examples."""
    (shop / "bare").mkdir()
    (shop / "bare" / "test_bare.py").write_text(BARE)
    (shop / "bare" / "pyproject.toml").write_text(BARE_SETTINGS)
    output = run_shop("-c", "bare/pyproject.toml", "--noconftest", "-p", "no:asyncio", "-rsf", "bare", code=1)
    assert "2 failed, 1 passed, 1 skipped, 1 error" in output
    assert "the project defines no test_user" in output
    assert "x=100," in output
    assert "The contract test runs in rollback isolation." in output
    assert failed(output) == {"POST /refuses"} and "@pytest.mark.anyio" in output


LISTS = ["-ocrucible_app=lists:app", "-ocrucible_metadata=lists:Base"]


def test_growth(run_shop, shop: Path):
    """Statements that grow with the rows are found, and failures that only more rows show; the tests to paste fail."""
    output = run_shop(*LISTS, "-rsf", "test_growth.py", code=1)
    assert failed(output) == {"GET /one-by-one", "GET /lazily", "GET /only"}
    assert "6 failed, 2 passed, 1 skipped" in output
    for found in (
        "GET /one-by-one executes 1 statement for 0 rows, and 11 statements for 30 rows after more_authors().",
        "10 times SELECT books.id, books.author_id FROM books WHERE books.author_id = $1::INTEGER  at lists.py:55",
        "GET /lazily executes 1 statement for 0 rows, and 11 statements for 20 rows after more_authors_by_sync().",
        "GET /only after more_authors() raised MultipleResultsFound",
        "uncommitted() has left a transaction open that has written, or locks.",
        "nothing(), the growth of api_contract, has stored no rows.",
        "no request to GET /health has read more rows after more_authors() than before",
    ):
        assert found in output
    fixtures = "from test_growth import books, test_user"
    (shop / "test_pasted_growth.py").write_text("\n\n".join([*pasted(output), fixtures]))
    again = run_shop(*LISTS, "test_pasted_growth.py", code=1)
    assert "3 failed" in again
    assert "11 statements executed, at most 2 expected" in again and "MultipleResultsFound" in again


ORDERS = ["-ocrucible_app=orders:app", "-ocrucible_metadata=orders:Base"]


def test_links(run_shop, shop: Path):
    """Faults that need several requests are found, and the smallest sequences shown; sound operations pass."""
    output = run_shop(*ORDERS, "test_links.py", code=1)
    assert "4 failed, 1 error" in output
    for found in (
        "POST /orders/{order_id}/cancel raised RuntimeError: cancelled already.",
        "POST /orders/{order_id}/pay answered 402, but public.orders changed.",
        "DELETE /orders/{order_id} answered 204, and left a transaction open that has written, or locks.",
        "The OpenAPI document has no links, and none can be inferred from it.",
        "The contract test runs in rollback isolation.",
    ):
        assert found in output
    assert re.findall(r"The smallest sequence of (\d) requests", output) == ["3", "2", "2"]
    assert re.search(r"""/orders -H .* --data-binary '{"number": [\d.]+}'  # answers 201""", output)
    assert """request('POST', f"/orders/{response_1.json()['id']}/cancel")""" in output
    user = "from test_links import test_user"
    (shop / "test_pasted_links.py").write_text("\n\n".join([*pasted(output), user]))
    assert "3 failed" in run_shop(*ORDERS, "test_pasted_links.py", code=1)
    sound = [*ORDERS, "-knot unlinked and not refused", "test_links.py", "test_pasted_links.py"]
    assert "6 passed" in run_shop(*sound, REPAIRED="1")


BARE_SETTINGS = """
[tool.pytest]
strict = true
pythonpath = [".."]
filterwarnings = ["error"]
crucible_app = "app:app"
crucible_metadata = ["app:Base"]
"""
BARE = """
import pytest
from hypothesis import given, strategies as st
from pytest_crucible.contract import api_contract

test_contract = api_contract(exclude=["GET *", "POST /[!mr]*", "POST /refuses/*", "POST /me/w*"])
test_rolled_back = pytest.mark.crucible(isolation="rollback")(api_contract(exclude=["POST *", "GET /i*"]))


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@given(x=st.integers())
def test_of_another_kind(x):
    assert x < 100
"""


@pytest.mark.parametrize(
    "axes",
    [
        {"arguments": ["-n", "2", "-oasyncio_mode=strict"]},
        {"arguments": [f"-oasyncio_default_{kind}_loop_scope=session" for kind in ("fixture", "test")]},
        {"arguments": [], "DRIVER": "psycopg", "SYNC_DRIVER": "psycopg2"},
    ],
    ids=["workers", "one loop", "psycopg"],
)
def test_axes(run_shop, axes):
    """The same is found in two workers, in strict mode, on a loop of the session, and by other drivers."""
    assert failed(run_shop("test_fewer.py", *axes.pop("arguments"), code=1, **axes)) == set(FAULTY)
