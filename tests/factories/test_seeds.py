"""The same data for the same test, alone, in any order, and on any worker."""

from __future__ import annotations

import re

import pytest

from pytest_crucible.factories.seeds import number

DATA = """
import dataclasses, datetime, random, uuid
from typing import Annotated, Literal

import pydantic, pytest
from factories import UserFactory
from faker import Faker
from polyfactory import Use
from polyfactory.factories import DataclassFactory, TypedDictFactory
from polyfactory.factories.pydantic_factory import ModelFactory
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from typing_extensions import TypedDict

fake = Faker()


class Order(pydantic.BaseModel):
    id: uuid.UUID
    number: int
    items: list[str]
    tags: set[str]
    kind: Literal["a", "b"]
    total: pydantic.condecimal(gt=0, max_digits=8, decimal_places=2)
    at: datetime.datetime
    day: datetime.date
    hour: datetime.time
    long: datetime.timedelta
    anything: dict
    things: list
    past: pydantic.PastDate
    future: pydantic.FutureDate
    moment: pydantic.AwareDatetime
    naive: pydantic.NaiveDatetime
    was: pydantic.PastDatetime
    will: pydantic.FutureDatetime
    late: Annotated[datetime.date, pydantic.Field(ge=datetime.date(2020, 1, 1))]
    early: Annotated[datetime.date, pydantic.Field(lt=datetime.date(2020, 1, 1))]
    first: pydantic.UUID1
    either: int | str
    maybe: float | None
    data: dict[str, int]
    blob: bytes


class OrderFactory(ModelFactory[Order]):
    pass


class FixedFactory(ModelFactory[Order]):
    __random_seed__ = 7


class UsesFactory(ModelFactory[Order]):
    number = Use(ModelFactory.__random__.randint, 0, 10**9)
    kind = Use(random.choice, ["a", "b"])
    items = Use(lambda: [fake.name(), ModelFactory.__faker__.unique.name(), str(random.random())])


class GermanFactory(ModelFactory[Order]):
    __faker__ = Faker("de_DE")
    items = Use(lambda: [GermanFactory.__faker__.name()])


@dataclasses.dataclass
class Point:
    x: float
    y: list[float]


class PointFactory(DataclassFactory[Point]):
    pass


class Words(TypedDict):
    word: str


class WordsFactory(TypedDictFactory[Words]):
    pass


def everything():
    users = [(user.name, user.email, user.balance, user.created) for user in UserFactory.batch(2)]
    kinds = (OrderFactory, UsesFactory, GermanFactory, FixedFactory, PointFactory, WordsFactory)
    data = [repr(kind.build()) for kind in kinds]
    # A set is the same, and written in an order of its own.
    return [repr(users), *(line.replace(repr_tags(line), "") for line in data)]


def repr_tags(line):
    return line[line.find(" tags="):line.find(" kind=")] if " tags=" in line else " "


def note(name):
    with open("DRAWN", "a") as file:
        print(name, everything(), file=file)


@pytest.fixture(scope="module")
def wide(): note("wide")

@pytest.mark.xdist_group("one")
def test_a(): note("a")

def test_b(wide): note("b")

@pytest.mark.parametrize("i", range(2))
def test_c(wide, i): note(f"c{i}")

async def test_d():
    await UserFactory.create_batch_async(2)
    note("d")
"""


def test_a_number():
    """It depends on the seed and the place, and on nothing else."""
    assert number(0, "tests/test_a.py::test_a") == 5290656936701201362
    assert len({number(0, "a"), number(1, "a"), number(0, "b"), number("0", "c")}) == 4


def drawn(shop, *arguments: str, process: bool = False) -> dict[str, set[str]]:
    path = shop.root / "DRAWN"
    path.unlink(missing_ok=True)
    result = shop.run(DATA.replace('"DRAWN"', repr(str(path))), *arguments, process=process)
    assert result.ret == 0
    lines: dict[str, set[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        name, _, rest = line.partition(" ")
        lines.setdefault(name, set()).add(rest)
    assert all(len(found) == 1 for found in lines.values())
    return lines


@pytest.mark.slow
def test_in_any_order_and_alone(shop):
    """Whatever ran before, each test and each wide fixture sees its own data, and no other's."""
    together = drawn(shop)
    assert set(together) == {"wide", "a", "b", "c0", "c1", "d"}
    assert len({line for found in together.values() for line in found}) == 6
    for arguments in (["-k", "test_c or test_d"], ["-k", "test_b"]):
        alone = drawn(shop, *arguments)
        assert alone == {name: together[name] for name in alone}
    other = drawn(shop, "--crucible-seed=1")
    assert all(other[name] != together[name] for name in together)


@pytest.mark.slow
def test_in_any_process(shop, monkeypatch):
    """Under another PYTHONHASHSEED, in another time zone, and on workers that take turns."""
    together = drawn(shop)
    for seed, zone in (("1", "Asia/Tokyo"), ("2", "America/New_York")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("TZ", zone)
        assert drawn(shop, process=True) == together
    for schedule in ("worksteal", "loadgroup"):
        assert drawn(shop, "-n2", f"--dist={schedule}", process=True) == together


@pytest.mark.slow
def test_tomorrow(shop, monkeypatch):
    """No date follows the clock: not in a year either."""
    together = drawn(shop)
    from faker.providers import date_time

    now = date_time.datetime.now()

    class Later(date_time.datetime):
        @classmethod
        def now(cls, tz=None):
            return now.replace(year=now.year + 1, tzinfo=tz)

    monkeypatch.setattr(date_time, "datetime", Later)
    later = {
        name: {line.replace("Later(", "datetime.datetime(") for line in found} for name, found in drawn(shop).items()
    }
    assert later == together


def test_the_report_of_a_failed_test(shop):
    """It says with which seed the data was drawn, if any was."""
    tests = """
    from factories import UserFactory
    def test_draws(): assert not UserFactory.build()
    def test_draws_not(): assert False
    """
    result = shop.run(tests, "--crucible-seed=42")
    output = result.stdout.str()
    assert output.count("crucible seed") == 1
    assert re.search(r"test_shop.py::test_draws was drawn with the seed 42 \(--crucible-seed\)", output)


@pytest.mark.slow
def test_fakers_fixture(shop):
    """Faker's `faker` follows our seed; a faker_seed of the project's seeds factories too; crucible_seed wins."""
    tests = """
    from factories import UserFactory
    import pytest
    @pytest.fixture(scope="module")
    def wide(): return UserFactory.build().name
    {}
    def test_one(wide, faker):
        print("DRAWN", faker.name().replace(" ", ""), UserFactory.build().name, wide)
    """
    own = "@pytest.fixture(scope='session')\n    def faker_seed(): return {}"

    def line(fixture: str, *arguments: str) -> list[str]:
        result = shop.run(tests.format(fixture), "-s", *arguments)
        return next(line for line in result.outlines if "DRAWN" in line).split("DRAWN")[1].split()

    plain, other = line(""), line("", "--crucible-seed=1")
    assert all(one != another for one, another in zip(plain, other, strict=True))
    first, second = line(own.format(1)), line(own.format(2))
    assert all(len({*drawn}) == 3 for drawn in zip(first, second, plain, strict=True))
    assert line(own.format(1), "--crucible-seed=1")[1:] == other[1:]


@pytest.mark.slow
def test_a_factory_that_is_seeded_in_a_test(shop):
    """seed_random() in a test holds until its end, and for that factory only."""
    shop.run(
        """
        import pytest
        from factories import PostFactory, UserFactory
        SEEN = []

        @pytest.mark.parametrize("i", range(2))
        def test_one(i):
            UserFactory.seed_random(5)
            SEEN.append((UserFactory.build().name, PostFactory.build().title))

        def test_two():
            assert SEEN[0][0] == SEEN[1][0] != UserFactory.build().name
            assert SEEN[0][1] != SEEN[1][1]
            assert "__random__" not in vars(UserFactory)
        """
    ).assert_outcomes(passed=3)


@pytest.mark.slow
def test_an_import_in_a_test(shop):
    """A test that imports its factories itself draws the same where no other test has imported them."""
    tests = """
    def test_other(): import factories
    def test_one():
        from factories import UserFactory
        print("DRAWN", UserFactory.build().name)
    """
    outputs = [shop.run(tests, "-s", *arguments, process=True) for arguments in ([], ["-k", "test_one"])]
    lines = [re.search(r"DRAWN (\w+)", result.stdout.str()) for result in outputs]
    assert lines[0] and lines[1] and lines[0][1] == lines[1][1]
