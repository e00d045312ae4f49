"""The application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ledger.database import engine
from ledger.errors import LedgerError
from ledger.relay import running
from ledger.routes import accounts, transfers, users
from ledger.stream import Hub


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the relay as long as the application."""
    app.state.hub = Hub()
    async with running(engine, app.state.hub):
        yield
    await engine.dispose()


app = FastAPI(title="Ledger", lifespan=lifespan)
app.include_router(users.router)
app.include_router(accounts.router)
app.include_router(transfers.router)


@app.exception_handler(LedgerError)
async def answer_error(_request: Request, error: LedgerError) -> JSONResponse:
    """Answer an error of the domain with its status."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse({"detail": str(error)}, status_code=error.status, headers=headers)
