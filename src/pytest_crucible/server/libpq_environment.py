"""Neutral values for libpq's environment variables, without changes of ``os.environ``, which applications read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache

from .address import Address

# Variable → its parameter, and the value that has no effect. Host, port, user, database and password are always passed
# as arguments, which win over their variables.
_NEUTRAL: dict[str, tuple[str, str]] = {
    "PGHOSTADDR": ("hostaddr", ""),
    "PGPASSFILE": ("passfile", ""),
    "PGSSLMODE": ("sslmode", "prefer"),
    "PGREQUIRESSL": ("sslmode", "prefer"),
    "PGSSLNEGOTIATION": ("sslnegotiation", "postgres"),
    "PGSSLCERT": ("sslcert", ""),
    "PGSSLKEY": ("sslkey", ""),
    "PGSSLCERTMODE": ("sslcertmode", "allow"),
    "PGSSLROOTCERT": ("sslrootcert", ""),
    "PGSSLCRL": ("sslcrl", ""),
    "PGSSLCRLDIR": ("sslcrldir", ""),
    "PGSSLSNI": ("sslsni", "1"),
    "PGSSLCOMPRESSION": ("sslcompression", "0"),
    "PGSSLMINPROTOCOLVERSION": ("ssl_min_protocol_version", "TLSv1.2"),
    "PGSSLMAXPROTOCOLVERSION": ("ssl_max_protocol_version", ""),
    "PGMINPROTOCOLVERSION": ("min_protocol_version", "3.0"),
    "PGMAXPROTOCOLVERSION": ("max_protocol_version", "3.0"),
    "PGREQUIREPEER": ("requirepeer", ""),
    "PGREQUIREAUTH": ("require_auth", ""),
    "PGCHANNELBINDING": ("channel_binding", "prefer"),
    "PGGSSENCMODE": ("gssencmode", "disable"),
    "PGKRBSRVNAME": ("krbsrvname", "postgres"),
    "PGGSSLIB": ("gsslib", "gssapi"),
    "PGGSSDELEGATION": ("gssdelegation", "0"),
    "PGTARGETSESSIONATTRS": ("target_session_attrs", "any"),
    "PGLOADBALANCEHOSTS": ("load_balance_hosts", "disable"),
}


def neutral_keywords(environ: Mapping[str, str], *, known: Callable[[str], bool]) -> dict[str, str]:
    """Return the libpq parameters that cancel the variables set in *environ*.

    They include only parameters that this libpq knows: an older one refuses a parameter that it does not know.
    """
    parameters = (_NEUTRAL[variable] for variable in _NEUTRAL if variable in environ)
    return {name: value for name, value in parameters if known(name)}


def libpq(address: Address) -> dict[str, str]:
    """Return psycopg's keyword arguments that lead to *address*, independent of the environment."""
    return neutral_keywords(os.environ, known=_psycopg_knows) | {"target_session_attrs": "any"} | address.libpq()


@cache
def _psycopg_knows(parameter: str) -> bool:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(f"{parameter}=''")
    except ProgrammingError:
        return False
    return True


def hide_service() -> None:
    """Hide PGSERVICE from libpq, which has no neutral value for it; ``os.environ`` keeps it.

    libpq reads the environment of the C library, of which Python's mapping is a copy: ``os.unsetenv`` changes only the
    former.
    """
    if "PGSERVICE" in os.environ:
        os.unsetenv("PGSERVICE")


def show_service() -> None:
    """Restore PGSERVICE for libpq."""
    if "PGSERVICE" in os.environ:
        os.putenv("PGSERVICE", os.environ["PGSERVICE"])
