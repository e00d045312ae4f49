"""Everything that a database holds, as text, for comparison.

Object ids stay: a clone is a copy of its template's files, so they are the same in each. Left out is only what no
statement of an application can see as state: where rows lie, statistics, transaction ids.
"""

from __future__ import annotations

from collections import Counter

import psycopg
from psycopg import sql

PHYSICAL = {
    "pg_class": {
        "relfilenode", "relpages", "reltuples", "relallvisible", "relallfrozen", "relfrozenxid", "relminmxid",
    },
    "pg_index": {"indcheckxmin"},
    # How the rows that are older than a column get its value; the rows themselves are compared.
    "pg_attribute": {"atthasmissing", "attmissingval"},
}  # fmt: skip
STATISTICS = ("pg_statistic", "pg_statistic_ext_data")
# Each backend that ever made a temporary table leaves its empty schema behind, also in production.
ONLY = {"pg_namespace": "nspname !~ '^pg_(toast_)?temp_'"}

# What belongs to the database, not to what is in it.
OF_DATABASE = {
    "database": "SELECT ROW(datdba, encoding, datlocprovider, datistemplate, datallowconn, datconnlimit,"
    " dathasloginevt, datlocale, datcollate)::text FROM pg_database WHERE datname = current_database()",
    "database privileges": "SELECT a::text FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
    " WHERE datname = current_database()",
    "settings": "SELECT ROW(setrole, c)::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,"
    " unnest(setconfig) c WHERE datname = current_database()",
    "notes on the database": "SELECT description FROM pg_shdescription s JOIN pg_database d ON d.oid = s.objoid"
    " AND s.classoid = 'pg_database'::regclass WHERE datname = current_database()"
    " AND description NOT LIKE 'pytest-crucible: used by %'",
    "shared dependencies": "SELECT ROW(classid, s.objid, objsubid, refclassid, refobjid, deptype)::text"
    " FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid WHERE datname = current_database()",
}
CATALOGS = (
    "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared GROUP BY 1 ORDER BY 1"
)
RELATIONS = (
    "SELECT c.relkind::text, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname !~ '^pg_'"
    " ORDER BY 1, 2, 3"
)

Connection = psycopg.Connection[tuple[object, ...]]


class Snapshot:
    """What was found in one database, part by part: each table, each sequence, each catalog.

    Args:
        connection: The administrator's.
    """

    def __init__(self, connection: Connection) -> None:
        self.parts = _parts(connection)
        self.rows = {name: Counter(_rows(connection, query)) for name, query in self.parts.items()}
        digests = (_digest(name, query) for name, query in self.parts.items())
        self.all_digests = sql.SQL(" UNION ALL ").join(digests).as_string(connection)
        self.digests = self._digests(connection)

    def differences(self, connection: Connection) -> list[str]:
        """How what *connection* leads to differs from what was found here."""
        try:
            now = self._digests(connection)
        except psycopg.errors.UndefinedTable:
            now = {}  # part by part, then
        if now == self.digests:
            return []
        found = []
        for name in self.parts:
            if now.get(name) != self.digests[name]:
                lines = self._of(connection, name)
                if not lines and name in now:
                    self.digests[name] = now[name]  # written anew with the same content
                found += lines
        return found

    def _of(self, connection: Connection, name: str) -> list[str]:
        now = Counter(_rows(connection, self.parts[name]))
        lost, new = self.rows[name] - now, now - self.rows[name]
        return [f"{name}: - {row}" for row in lost.elements()] + [f"{name}: + {row}" for row in new.elements()]

    def _digests(self, connection: Connection) -> dict[str, object]:
        return {str(row[0]): row[1:] for row in connection.execute(self.all_digests, prepare=True).fetchall()}  # type: ignore[call-overload]


def _parts(connection: Connection) -> dict[str, sql.Composable]:
    parts: dict[str, sql.Composable] = {name: sql.SQL(query) for name, query in OF_DATABASE.items()}
    for kind, schema, name in connection.execute(RELATIONS).fetchall():
        whole = sql.Identifier(schema, name)
        if kind == "S":
            query = sql.SQL("SELECT ROW(last_value, is_called)::text FROM {}")
            parts[f"sequence {schema}.{name}"] = query.format(whole)
        else:
            # The text for the reader, the binary form because a text may hide a difference.
            parts[f"table {schema}.{name}"] = sql.SQL(
                'SELECT ("each row".*)::text || md5(record_send("each row".*)) FROM ONLY {} "each row"'
            ).format(whole)
    for name, columns in connection.execute(CATALOGS).fetchall():
        if name not in STATISTICS:
            parts[name] = _catalog(name, columns)
    return parts


def _digest(name: str, query: sql.Composable) -> sql.Composable:
    """Return what changes whenever the rows of a part do; for catalogs their versions, since their texts take long."""
    if name.startswith("pg_"):
        return sql.SQL("SELECT {}, count(*), sum(xmin::text::bigint) FROM {} WHERE {}").format(
            sql.Literal(name), sql.Identifier(name), sql.SQL(ONLY.get(name, "true"))
        )
    return sql.SQL("SELECT {}, count(*), sum(hashtextextended(r, 0)) FROM ({}) q (r)").format(sql.Literal(name), query)


def _catalog(name: str, columns: list[str]) -> sql.Composable:
    kept = [column for column in columns if column not in PHYSICAL.get(name, ())]
    return sql.SQL("SELECT ROW({})::text FROM pg_catalog.{} WHERE {}").format(
        sql.SQL(", ").join(map(sql.Identifier, kept)), sql.Identifier(name), sql.SQL(ONLY.get(name, "true"))
    )


def _rows(connection: Connection, query: sql.Composable) -> list[str]:
    try:
        return [str(row[0]) for row in connection.execute(query).fetchall()]
    except psycopg.Error as error:
        return [f"{type(error).__name__}: {error}"]
