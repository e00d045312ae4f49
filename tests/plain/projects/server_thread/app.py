"""An HTTP server in a thread of a session fixture, as uvicorn runs, asked over a socket."""

import os

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Ping(Base):
    __tablename__ = "pings"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with Session(engine) as session:
            session.add(Ping(path=self.path))
            session.commit()
            total = session.scalar(select(func.count()).select_from(Ping))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(total).encode())

    def log_message(self, *args):
        pass


def server():
    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
