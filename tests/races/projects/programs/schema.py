"""A schema on which the steps of two transactions meet in every way that the rules of reduction know."""

from __future__ import annotations

from sqlalchemy import DDL, Column, Integer, MetaData, Table, create_engine, event

SCHEMA = """
CREATE TABLE accounts (id int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tags (name text PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE children (id int GENERATED ALWAYS AS IDENTITY, account int REFERENCES accounts ON DELETE CASCADE);
CREATE TABLE late (account int REFERENCES accounts DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE entries (who text);
CREATE TABLE watched (who text);
CREATE TABLE sums (who text, total int);
CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, who text, at timestamptz NOT NULL);
CREATE SEQUENCE numbers;
CREATE FUNCTION count_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE counters SET n = n + 1; RETURN NULL; END $$;
CREATE TRIGGER counted AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION count_entry();
CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO sums SELECT NEW.who, sum(n) FROM accounts; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER added AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION add_up();
CREATE FUNCTION claim(tag text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN INSERT INTO tags VALUES (tag); RETURN 'claimed'; EXCEPTION WHEN unique_violation THEN RETURN 'taken'; END $$;
"""
TABLES = ["accounts", "tags", "children", "late", "entries", "counters", "watched", "sums"]

metadata = MetaData()
Table("counters", metadata, Column("n", Integer))
event.listen(metadata, "after_create", DDL(SCHEMA.replace("%", "%%")))
engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")
