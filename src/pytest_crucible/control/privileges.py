"""Privileges and settings of a database, as the statements that give them to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .driver import psycopg, sql

if TYPE_CHECKING:
    from typing_extensions import LiteralString

GRANTS = """
SELECT x.privilege_type, x.is_grantable, CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) END
FROM pg_database d, aclexplode(d.datacl) x WHERE d.datname = %s
"""
SETTINGS = """
SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, c
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS c WHERE d.datname = %s
"""


def statements(connection: psycopg.Connection[tuple[Any, ...]], template: str, to: str) -> list[sql.Composed]:
    """Return the statements that give the database *to* the privileges and settings of *template*."""
    grants = connection.execute(GRANTS, (template,)).fetchall()
    settings = connection.execute(SETTINGS, (template,)).fetchall()
    database = sql.Identifier(to)
    revoked = [sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)] if grants else []
    granted = [_grant(database, *grant) for grant in grants]
    return [*revoked, *granted, *(_setting(database, *setting) for setting in settings)]


def _grant(database: sql.Identifier, privilege: LiteralString, grantable: bool, grantee: str | None) -> sql.Composed:
    return sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
        sql.SQL(privilege),
        database,
        sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
        sql.SQL(" WITH GRANT OPTION" if grantable and grantee else ""),
    )


def _setting(database: sql.Identifier, role: str | None, setting: str) -> sql.Composed:
    name, _, value = setting.partition("=")
    target = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), database) if role else None
    target = target or sql.SQL("ALTER DATABASE {}").format(database)
    # A list such as search_path is stored as it is written after SET; any other value is one literal.
    lists = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")
    written = sql.SQL(value) if name in lists else sql.Literal(value)
    return sql.SQL("{} SET {} TO {}").format(target, sql.Identifier(name), written)
