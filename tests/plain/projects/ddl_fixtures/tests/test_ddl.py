import pytest
from app import run


@pytest.fixture(scope="module", autouse=True)
def extra():
    run("CREATE TABLE extra (id int PRIMARY KEY)", "INSERT INTO extra VALUES (1)")
    yield
    run("DROP TABLE extra")


@pytest.mark.parametrize("n", range(2))
def test_table_of_the_module(n):
    assert run("SELECT * FROM extra") == [(1,)]
    run("INSERT INTO extra VALUES (2)")
    assert run("SELECT count(*) FROM extra") == [(2,)]
    run("DELETE FROM extra WHERE id = 2")


@pytest.fixture(scope="class")
def column():
    run("ALTER TABLE plants ADD COLUMN height int DEFAULT 3")
    yield
    run("ALTER TABLE plants DROP COLUMN height")


@pytest.mark.usefixtures("column")
class TestColumn:
    @pytest.mark.parametrize("n", range(2))
    def test_default(self, n):
        run("INSERT INTO plants (name) VALUES ('fern')")
        assert run("SELECT name, height FROM plants") == [("fern", 3)]

    def test_other_value(self):
        run("INSERT INTO plants (name, height) VALUES ('fern', 9)")
        assert run("SELECT height FROM plants") == [(9,)]


def test_index_and_view():
    run("CREATE INDEX plants_name ON plants (name)", "CREATE VIEW names AS SELECT name FROM plants")
    run("INSERT INTO plants (name) VALUES ('moss')")
    assert run("SELECT * FROM names") == [("moss",)]
    run("DROP VIEW names", "DROP INDEX plants_name")


def test_columns():
    assert run("SELECT count(*) FROM pg_attribute WHERE attrelid = 'plants'::regclass AND attnum > 0"
               " AND NOT attisdropped") == [(2,)]
