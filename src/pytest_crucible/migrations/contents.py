"""The contents of a database, beyond its schema: rows, values of sequences, and the order of columns."""

from __future__ import annotations

from typing import Any

import psycopg

# More than this is not read, since a copy of the database costs less.
MOST_BYTES = 4_000_000
RELATIONS = """
SELECT c.oid::regclass::text,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0,
       has_table_privilege(c.oid, 'SELECT'),
       pg_table_size(c.oid)
  FROM pg_class c
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f', 'c') AND c.relnamespace::regnamespace::text !~ '^pg_'
 ORDER BY 1
"""
SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences ORDER BY 1"
ROWS = "SELECT '{literal}', count(*), sum(hashtextextended(ROW(t.*)::text, 0)) FROM ONLY {name} AS t"


def contents(connection: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    """Return the contents of the database of *connection*; None if that is too much to read, or may not be read."""
    relations = connection.execute(RELATIONS, prepare=True).fetchall()
    filled = [relation for relation in relations if relation[2]]
    if not all(legible for *_, legible, _ in filled) or sum(relation[-1] for relation in filled) > MOST_BYTES:
        return None
    columns = [relation[:2] for relation in relations]
    return (
        columns
        + connection.execute(SEQUENCES, prepare=True).fetchall()
        + _rows(connection, [name for name, *_ in filled])
    )


def _rows(connection: psycopg.Connection[tuple[Any, ...]], tables: list[str]) -> list[tuple[Any, ...]]:
    """Return the number of rows of each of *tables* that has any, with a hash of them in whatever order."""
    selects = [ROWS.format(literal=name.replace("'", "''"), name=name) for name in tables]
    rows = connection.execute(" UNION ALL ".join(selects).encode()).fetchall() if selects else []
    return [row for row in rows if row[1]]
