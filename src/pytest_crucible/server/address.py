"""The address of a database: the place where its server listens, and the role to authenticate as."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from ..errors.masking import Masked, Password


@dataclass(frozen=True, repr=False)
class Address:
    """One database on one server, as one role.

    Attributes:
        host: A host name, or the directory of a unix socket (then it begins with ``/``).
        port: The port; for a unix socket the number in the socket's name.
        user: The role to authenticate as.
        database: The database to connect to.
        password: The role's password, or None if the server requires none.
        tls: libpq's TLS parameters (``sslmode``, ``sslrootcert``, …) as pairs; empty on Crucible's own servers.
    """

    host: str
    port: int
    user: str
    database: str
    password: str | None = None
    tls: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.password is not None:
            object.__setattr__(self, "password", Password(self.password))
        secret = tuple((name, Password(value) if name == "sslpassword" else value) for name, value in self.tls)
        object.__setattr__(self, "tls", secret)

    def __repr__(self) -> str:
        return f"Address({self.url()!r})"

    def to(self, database: str, *, user: str | None = None) -> Address:
        """Return the address of another database on the same server, for another role if *user* is given."""
        return replace(self, database=database, user=self.user if user is None else user)

    def without_secrets(self) -> Address:
        """Return the same address without its secrets: the password, and the password of a TLS key."""
        return replace(self, password=None, tls=tuple(pair for pair in self.tls if pair[0] != "sslpassword"))

    @property
    def is_socket(self) -> bool:
        """True if the server is reached over a unix socket."""
        return self.host.startswith("/")

    def libpq(self) -> dict[str, str]:
        """Return libpq's keyword arguments (PostgreSQL manual, 32.1.2), ready for ``psycopg.connect(**…)``."""
        kwargs = {"host": self.host, "port": str(self.port), "user": self.user, "dbname": self.database}
        if self.password is not None:
            kwargs["password"] = self.password
        return kwargs | dict(self.tls)

    def url(self, drivername: str = "postgresql", host: str = "") -> str:
        """Return the address as a URL, for example ``postgresql+asyncpg://user:password@host:5432/name``.

        A unix socket stands in the query (``?host=/run/x``), as SQLAlchemy, libpq and asyncpg all read it. The repr of
        the URL shows no password.

        Args:
            drivername: The scheme.
            host: A name to stand in the place of the host where the server is reached over a unix socket. SQLAlchemy
                and libpq prefer the query's host to it, asyncpg does not.
        """
        user = quote(self.user, safe="")
        if self.password is not None:
            user += ":" + quote(self.password, safe="")
        query = dict(self.tls)
        if self.is_socket:
            query = {"host": self.host, "port": str(self.port), **query}
        else:
            host = f"[{self.host}]" if ":" in self.host else self.host
            host += f":{self.port}"
        tail = "?" + urlencode(query, safe="/") if query else ""
        url = f"{drivername}://{user}@{host}/{quote(self.database, safe='')}{tail}"
        return url if self == self.without_secrets() else Masked(url)
