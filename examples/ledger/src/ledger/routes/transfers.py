"""Transfers, once each, and the stream of them."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Header, WebSocket, WebSocketDisconnect, status

from ledger import idempotency, transfers
from ledger.audit import RequestAudit
from ledger.database import RequestSession, sessions
from ledger.dependencies import CurrentUser, user_of_token
from ledger.errors import NotAuthenticated
from ledger.models import User
from ledger.schemas import TransferOrder, TransferOut
from ledger.stream import Hub, Queue

router = APIRouter(prefix="/transfers", tags=["transfers"])

IdempotencyHeader = Annotated[str | None, Header(min_length=1, max_length=80)]


@router.post("", status_code=201)
async def transfer(
    order: TransferOrder,
    user: CurrentUser,
    session: RequestSession,
    audit: RequestAudit,
    idempotency_key: IdempotencyHeader = None,
) -> TransferOut:
    if idempotency_key is None:
        made = await _transfer(session, user, order)
    else:
        made = await _transfer_once(session, user, order, idempotency_key)
    await session.commit()
    audit(user, "transfer.made", transfer_id=made.id)
    return made


@router.websocket("/stream")
async def stream(websocket: WebSocket, token: str) -> None:
    """Send every transfer that touches an account of the user, from the moment of acceptance on."""
    try:
        user = await _authenticate(token)
    except NotAuthenticated:
        await websocket.close(status.WS_1008_POLICY_VIOLATION)
        return
    hub: Hub = websocket.app.state.hub
    with hub.subscribe(user.id) as queue:
        await websocket.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_forward, queue, websocket)
            await _until_disconnected(websocket)
            tasks.cancel_scope.cancel()


async def _transfer(session: RequestSession, user: User, order: TransferOrder) -> TransferOut:
    return TransferOut.model_validate(await transfers.transfer(session, user, order))


async def _transfer_once(session: RequestSession, user: User, order: TransferOrder, key: str) -> TransferOut:
    stored = await idempotency.claim(session, user, key, order.model_dump())
    if stored is not None:
        return TransferOut.model_validate(stored)
    made = await _transfer(session, user, order)
    await idempotency.answer(session, user, key, made.model_dump(mode="json"))
    return made


async def _authenticate(token: str) -> User:
    # A stream may stay open for hours: it must not hold a connection meanwhile.
    async with sessions() as session:
        return await user_of_token(session, token)


async def _forward(queue: Queue, websocket: WebSocket) -> None:
    while True:
        await websocket.send_json(await queue.get())


async def _until_disconnected(websocket: WebSocket) -> None:
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        return
