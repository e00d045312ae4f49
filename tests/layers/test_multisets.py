"""Layers as signed multisets: whatever order they come and go in, the database is what a model in Python says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_crucible.control import Admin, Control, Rights, reset, rights, templates
from pytest_crucible.control.templates import Template
from pytest_crucible.server import lease
from tests.shared.examples import examples

OWNER = "app"
VALUES = st.integers(0, 2)  # few, so that layers add and remove the same rows
WRITE = st.one_of(
    st.tuples(st.just("add"), VALUES),
    st.tuples(st.just("remove"), VALUES),
    st.tuples(st.just("change"), VALUES, VALUES),
    st.tuples(st.just("empty")),
    st.tuples(st.just("next")),
    st.tuples(st.just("key"), VALUES, VALUES),
    st.tuples(st.just("unkey"), VALUES),
)
WRITES = st.lists(WRITE, max_size=4)
STEP = st.one_of(
    st.tuples(st.just("up"), WRITES),
    st.tuples(st.just("more"), st.integers(0, 5), WRITES),
    st.tuples(st.just("off"), st.integers(0, 5)),
    st.tuples(st.just("test"), WRITES),
    st.tuples(st.just("clone")),
)
SEED = Counter({0: 2, 1: 1})
KEYED = {0: 0, 1: 1}


@dataclass
class Model:
    """The baseline, and what each layer added to it and removed from it, in the order in which it did."""

    rows: Counter[int] = field(default_factory=lambda: Counter(SEED))
    sequence: int = 10
    notes: list[tuple[int, int, int]] = field(default_factory=list)  # layer, sign, value
    places: dict[int, int] = field(default_factory=lambda: {0: 10})  # layer: sequence, the latest last

    def take(self, layer: int, rows: Counter[int], sequence: int) -> None:
        added, removed = rows - self.rows, self.rows - rows
        self.notes += [(layer, 1, value) for value in added.elements()]
        self.notes += [(layer, -1, value) for value in removed.elements()]
        self.rows = rows
        if sequence != self.sequence:
            self.places.pop(layer, None)
            self.places[layer] = self.sequence = sequence

    def take_off(self, layer: int) -> None:
        mine = [note for note in self.notes if note[0] == layer]
        self.notes = [note for note in self.notes if note[0] != layer]
        net: Counter[int] = Counter()
        for _, sign, value in mine:
            net[value] += sign
        for value, count in net.items():
            self.rows[value] -= count
            for _ in range(-self.rows[value]):  # another layer has removed it since: it is not removed any more
                self._forget(value)
        self.rows = +self.rows
        self.places.pop(layer, None)
        self.sequence = list(self.places.values())[-1]

    def _forget(self, value: int) -> None:
        removed = next(note for note in self.notes if note[1:] == (-1, value))
        self.notes.remove(removed)
        self.rows[value] += 1


class Database:
    """A worker database with a table without a key, another one with one, and an ordinary connection to it.

    Tables with more than *many* rows are restored by difference; TRUNCATE would lead to a clone.
    """

    def __init__(self, admin: Admin, many: int) -> None:
        self._admin = admin
        self.refills = many > 2
        self._rights = Rights(superuser=True, replica=True)
        self._template = Template(f"layers_template_{many}", OWNER)
        admin.role(OWNER)
        admin.create(self._template.name, owner=OWNER, template="template0")
        address = admin.address.to(self._template.name)
        with psycopg.connect(**address.to(address.database, user=OWNER).libpq(), autocommit=True) as connection:
            connection.execute("CREATE TABLE rows (value int)")
            connection.execute("INSERT INTO rows VALUES (0), (0), (1)")
            connection.execute("CREATE TABLE keyed (id int PRIMARY KEY, value int)")
            connection.execute("INSERT INTO keyed VALUES (0, 0), (1, 1)")
            connection.execute("CREATE SEQUENCE places START 10")
            connection.execute("SELECT nextval('places')")
        admin.empty(self._template.name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rights, "MANY_ROWS", many)
            reset.install(address, self._rights)
        admin.empty(self._template.name)
        self.control = self._clone()

    def _clone(self) -> Control:
        self._admin.drop("layers_worker")
        address = templates.clone(self._admin, self._template, "layers_worker")
        control = Control(address, self._rights)
        libpq = address.to(address.database, user=OWNER).libpq()
        self._connection = psycopg.connect(**libpq, autocommit=True)
        return control

    def renew(self) -> None:
        saved = self.control.export_layers()
        self.close()
        self.control = self._clone()
        self.control.adopt_layers(saved)

    def start_anew(self) -> None:
        self.close()
        self.control = self._clone()

    def close(self) -> None:
        self.control.close()
        self._connection.close()

    def write(self, kind: str, *values: int) -> None:
        one = "ctid = (SELECT ctid FROM rows WHERE value = %s LIMIT 1)"
        statements = {
            "add": "INSERT INTO rows VALUES (%s)",
            "remove": f"DELETE FROM rows WHERE {one}",
            "change": f"UPDATE rows SET value = %s WHERE {one}",
            "empty": "TRUNCATE rows" if self.refills else "DELETE FROM rows",
            "next": "SELECT nextval('places')",
            "key": "INSERT INTO keyed VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
            "unkey": "DELETE FROM keyed WHERE id = %s",
        }
        self._connection.execute(statements[kind], values)

    def keyed(self) -> dict[int, int]:
        return dict(self._connection.execute("SELECT id, value FROM keyed").fetchall())

    def state(self) -> tuple[Counter[int], int]:
        rows = Counter(row[0] for row in self._connection.execute("SELECT value FROM rows"))
        last = self._connection.execute("SELECT last_value FROM places").fetchone()
        return rows, last[0]


@pytest.fixture(scope="module", params=[1000, 1], ids=["refilled", "by difference"])
def database(
    tmp_path_factory: pytest.TempPathFactory, server_cache: Path, request: pytest.FixtureRequest
) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("layers")
    held = lease("embedded", root=folder, cache=server_cache)
    admin = Admin(held)
    database = Database(admin, request.param)
    yield database
    database.close()
    admin.close()
    held.release()


def run(database: Database, steps: list[tuple]) -> None:
    """Take each step in the database and in the model, and compare."""
    model, up, numbers = Model(), [], iter(range(2, 1000))
    try:
        for kind, *words in steps:
            step(database, model, up, numbers, kind, words)
            assert database.state() == (model.rows, model.sequence)
        for layer in up:
            database.control.take_off(layer)
        database.control.reset()
        assert database.state() == (SEED, 10)
        assert database.keyed() == KEYED
    except BaseException:
        database.start_anew()  # what went wrong here shall not fail the next program
        raise


def step(database, model, up, numbers, kind, words):
    before = database.keyed()
    if kind in ("up", "more", "test"):
        for write in words[-1]:
            database.write(*write)
    if kind == "test":
        assert database.control.reset().done == "reset"
        assert database.keyed() == before
    elif kind == "clone":
        database.renew()
    elif kind == "up" or (kind == "more" and up):
        layer = next(numbers) if kind == "up" else up[words[0] % len(up)]
        up += [layer] if kind == "up" else []
        assert database.control.capture(layer) is not None
        model.take(layer, *database.state())
    elif kind == "off" and up:
        layer = up.pop(words[0] % len(up))
        database.control.take_off(layer)
        database.control.reset()
        model.take_off(layer)
    else:
        database.control.reset()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=2, max_size=8))
# A layer takes back its own rows; two layers change the same key; a layer leaves no row of the template.
@example(steps=[("up", [("add", 0)]), ("more", 0, [("empty",)]), ("off", 0)])
@example(steps=[("up", [("key", 1, 0)]), ("up", [("key", 1, 1)]), ("more", 0, [("unkey", 1)])])
@example(steps=[("up", [("key", 1, 2)]), ("up", [("key", 1, 0)]), ("off", 0), ("clone",), ("test", [("unkey", 1)])])
@example(steps=[("up", [("empty",)]), ("clone",), ("test", [("add", 0)])])
def test_layers_come_and_go_in_any_order(database, steps):
    """After each step, rows and sequence are the model's; with all layers gone, everything is the template's.

    Where layers changed rows of the same key, what is between is the later layer's.
    """
    run(database, steps)


@pytest.mark.slow
@settings(max_examples=examples(2000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=2, max_size=20))
def test_many_layers_come_and_go_in_any_order(database, steps):
    """The same with longer programs, and many of them."""
    run(database, steps)
