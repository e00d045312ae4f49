"""A request as a curl line and as a call of Python's."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_crucible.app import client as client_of
from pytest_crucible.contract.contract import OperationProbe
from pytest_crucible.contract.document import Operation, document_of, operations_of, without_credentials
from pytest_crucible.contract.requests import AnswerPart, Chain, PreparedRequest, SentRequest
from pytest_crucible.contract.sequences import SequenceStep, keys_of, values_of, with_keys
from pytest_crucible.errors import UsageError

JSON = {"Content-Type": "application/json"}
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the request."""
    message = await receive()
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    told = [scope["raw_path"].decode(), scope["query_string"].decode(), headers, message.get("body", b"").hex()]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


async def told(response: Awaitable[httpx.Response]) -> tuple[str, str, dict[str, str], bytes]:
    path, query, headers, body = json.loads((await response).content)
    return path, query, headers, bytes.fromhex(body)


def test_credentials_of_the_client_are_sent():
    """Headers, cookies and parameters of the client go before those that were drawn, which are sent beside them."""
    client = client_of(echo, headers={"X-Token": "good"}, cookies={"sid": "1"}, params={"key": "k"})
    request = PreparedRequest(
        "GET", "/a%20b", "key=bad&n=1&n=2", {"x-token": "bad", "X-A": "1"}, {"sid": "0", "c": "2"}
    )
    path, query, headers, _ = asyncio.run(told(client.send(request.without_carried(client).of(client))))
    assert (path, query) == ("/a%20b", "key=k&n=1&n=2")
    assert (headers["x-token"], headers["x-a"]) == ("good", "1")
    assert sorted(headers["cookie"].split("; ")) == ["c=2", "sid=1"]


@settings(max_examples=50, deadline=None)
@given(body=BODIES)
def test_the_call_sends_the_same(body: Any):
    """The call to paste sends what the request has sent: path, query and body."""
    request = PreparedRequest("POST", "/items", "a=%00&b=", JSON, {}, json.dumps(body).encode())
    client = client_of(echo)
    sent = asyncio.run(told(client.send(request.of(client))))
    code = request.code("client").removeprefix("await ")
    called = asyncio.run(told(eval(code, {"client": client})))  # noqa: S307 - to run it is the point
    assert called[:2] == sent[:2] and json.loads(called[3]) == json.loads(sent[3])
    assert called[2]["content-type"] == "application/json"


def test_what_is_not_ascii():
    """A header is sent as Latin-1, also by the call to paste; a request that no client can send is none."""
    client = client_of(echo)
    request = PreparedRequest("GET", "/", headers={"X-A": "\xe4"})
    called = eval(request.code("client").removeprefix("await "), {"client": client})  # noqa: S307 - as above
    for response in (client.send(request.of(client)), called):
        assert asyncio.run(told(response))[2]["x-a"] == "\xe4"
    assert PreparedRequest("GET", "/", cookies={"a": "\u20ac"}).of(client) is None


@pytest.mark.skipif(shutil.which("bash") is None, reason="the line is for a shell")
@pytest.mark.parametrize("content", [b'{"a": "\'"}', b"\n\\'", "ä\u2028".encode(), b"\xff\x01"])
def test_the_curl_line_is_quoted(content: bytes):
    """A shell takes the line apart into the method, the address, the headers and the body."""
    request = PreparedRequest("PUT", "/a'b", "x=1&y=2", {"X-A": 'a"b $c'}, {"c": "d"}, content)
    script = request.curl(["authorization"]).replace("curl", "printf '%s\\n'", 1)
    done = subprocess.run(["bash", "-c", f"AUTHORIZATION=t; {script}"], capture_output=True, check=True)
    head = ["-X", "PUT", "http://localhost:8000/a'b?x=1&y=2", "-H", 'X-A: a"b $c', "-H", "authorization: t"]
    expected = "\n".join([*head, "-b", "c=d", "--data-binary", ""]).encode() + content + b"\n"
    assert done.stdout == expected


def test_a_linked_request_has_the_keys_of_new_answers():
    """Segments, query and body of a later request follow the answer, and so do they in the test to paste."""
    old, new = ({"items": [{"id": key, "size": 1}]} for key in ("a-key-that-is-long", "a key that is another"))
    part = AnswerPart(2, 1, ("items", 0, "id"))
    request = PreparedRequest(
        "POST", "/1/a-key-that-is-long", "of=a-key-that-is-long", JSON, {}, b'{"of": "a-key-that-is-long", "n": 1}'
    )
    first, second = (
        SequenceStep(OperationProbe(Operation("POST", "/"), is_anonymous=False), None, each, parts, values_of(answer))
        for each, parts, answer in [
            (PreparedRequest("POST", "/"), (), httpx.Response(200, json=old)),
            (request, (part,), None),
        ]
    )
    answer = values_of(httpx.Response(200, json=new))
    sent = with_keys(second, [first, second], {0: answer})
    assert (sent.path, sent.query) == ("/1/a%20key%20that%20is%20another", "of=a%20key%20that%20is%20another")
    assert json.loads(sent.content) == {"of": "a key that is another", "n": 1}
    chain = Chain((), (part,), keys_of([answer]))
    code = SentRequest(replace(sent, query=""), 200, chain).code("client")
    key = "response_1.json()['items'][0]['id']"
    assert code == f"""await client.request('POST', f"/1/{{{key}}}", json={{'of': {key}, 'n': 1}})"""


def test_operations_of_a_document():
    """An operation is secured by its own declaration, by the document's, or by a pattern; an empty one is none."""
    open_one = {"security": [], "responses": {"200": {}, "4XX": {}}}
    paths = {"/a": {"get": {}, "post": open_one, "parameters": []}, "/b": {"put": {"servers": []}, "servers": []}}
    document = {"security": [{"key": []}], "servers": [], "paths": paths, "components": {"securitySchemes": {}}}
    found = operations_of(document)
    assert [(str(operation), operation.is_secured) for operation in found] == [
        ("GET /a", True),
        ("POST /a", False),
        ("PUT /b", True),
    ]
    assert found[1].statuses == ("200", "4XX")
    assert operations_of(document, ["* /a"])[1] == Operation("POST", "/a", is_secured=True)
    stripped = {"/a": {"get": {}, "post": {"responses": open_one["responses"]}, "parameters": []}, "/b": {"put": {}}}
    assert without_credentials(document) == {"paths": stripped, "components": {}}


def test_the_document_of_an_application():
    """It is read through middleware and not kept there; an application without one is an error that says so."""
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.middleware.cors import CORSMiddleware

    app = FastAPI()
    assert document_of(CORSMiddleware(app))["paths"] == {}
    app.get("/later")(lambda: None)
    assert list(document_of(app)["paths"]) == ["/later"] and app.openapi_schema is None
    with pytest.raises(UsageError, match="CORSMiddleware, has no OpenAPI document"):
        document_of(CORSMiddleware(Starlette()))


def test_wrong_use(monkeypatch):
    """Arguments of another type, and a missing Schemathesis, are errors that say what to write."""
    from pytest_crucible.contract.contract import api_contract

    with pytest.raises(TypeError, match=r"exclude must be a list: write exclude=\['GET /'\]"):
        api_contract(exclude="GET /")
    with pytest.raises(TypeError, match="growth must be a function that stores more rows"):
        api_contract(growth=True)
    with pytest.raises(TypeError, match="links=True is a test of its own, without growth and known"):
        api_contract(links=True, known={"id": [1]})
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    with pytest.raises(ImportError, match=r"pip install 'pytest-crucible\[contract\]'"):
        from pytest_crucible.contract import test_contract  # noqa: F401
