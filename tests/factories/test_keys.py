"""Keys, unique columns and types: what a factory draws can be stored."""

from __future__ import annotations

import pytest

MODELS = """
class Tag(Base):
    __tablename__ = "tags"
    slug: Mapped[str] = mapped_column(String(3), primary_key=True)

class Node(Base):
    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    parent: Mapped["Node | None"] = relationship(remote_side="Node.id", back_populates="children")
    children: Mapped[list["Node"]] = relationship(back_populates="parent")

class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    writer_id: Mapped[int] = mapped_column(ForeignKey("writers.id"))
    editor_id: Mapped[int] = mapped_column(ForeignKey("writers.id"))
    checker_id: Mapped[int | None] = mapped_column(ForeignKey("writers.id"))
    writer: Mapped["Writer"] = relationship(foreign_keys=writer_id, back_populates="reviews")
    editor: Mapped["Writer"] = relationship(foreign_keys=editor_id)
    same: Mapped["Writer"] = relationship(foreign_keys=editor_id, viewonly=True)

class Writer(Base):
    __tablename__ = "writers"
    id: Mapped[int] = mapped_column(primary_key=True)
    reviews: Mapped[list[Review]] = relationship(foreign_keys=Review.writer_id, back_populates="writer")

class Loose(Base):
    __tablename__ = "loose"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    maybe_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

class Line(Base):
    __tablename__ = "lines"
    order: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    text: Mapped[str]

class Part(Base):
    __tablename__ = "parts"
    __table_args__ = (ForeignKeyConstraint(["line_order", "line_number"], ["lines.order", "lines.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    line_order: Mapped[int]
    line_number: Mapped[int]
    line: Mapped[Line] = relationship()

class Membership(Base):
    __tablename__ = "memberships"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tag_slug: Mapped[str] = mapped_column(ForeignKey("tags.slug"), primary_key=True)
    user: Mapped[User] = relationship()
    tag: Mapped[Tag] = relationship()

class Employee(Base):
    __tablename__ = "employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee", "version_id_col": version}

class Engineer(Employee):
    __tablename__ = "engineers"
    id: Mapped[int] = mapped_column(ForeignKey("employees.id"), primary_key=True)
    language: Mapped[str] = mapped_column(unique=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("employees.id"))
    __mapper_args__ = {"polymorphic_identity": "engineer", "inherit_condition": id == Employee.id}

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Everything(Base):
    __tablename__ = "everything"
    id: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[int] = mapped_column(Identity(always=True))
    code: Mapped[str] = mapped_column(String(5))
    doubled: Mapped[str] = mapped_column(Computed("code || code"))
    colour: Mapped[Colour]
    size: Mapped[str] = mapped_column(Enum("small", "large", name="size"))
    sizes: Mapped[list[str]] = mapped_column(ARRAY(Enum("one", "two", name="sizes")))
    maybe: Mapped[str | None] = mapped_column(Enum("yes", "no", native_enum=False, create_constraint=True))
    data: Mapped[dict] = mapped_column(JSONB)
    words: Mapped[list[str]] = mapped_column(ARRAY(String(7)))
    price: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    small: Mapped[int] = mapped_column(SmallInteger)
    blob: Mapped[bytes] = mapped_column(LargeBinary)
    naive: Mapped[datetime]
    aware: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    numbers: Mapped[object] = mapped_column(INT4RANGE)

class Unique(Base):
    __tablename__ = "uniques"
    __table_args__ = (
        UniqueConstraint("first", "second"),
        Index("ix_lower", func.lower(text("word")), unique=True),
        UniqueConstraint("user_id", "label"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[bool]
    second: Mapped[int] = mapped_column(SmallInteger)
    tiny: Mapped[str] = mapped_column(String(3), unique=True)
    number: Mapped[int] = mapped_column(unique=True)
    word: Mapped[str] = mapped_column(String(4), index=True, unique=True)
    maybe: Mapped[str | None] = mapped_column(String(1), unique=True)
    label: Mapped[str] = mapped_column(String(2))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship()
"""

FACTORIES = """
def of(model, **words):
    return SQLAlchemyFactory.create_factory(model, **words)
"""

HEAD = """
import pytest, pytest_crucible, uuid
from polyfactory import PostGenerated, Use
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from shop import *
from factories import PostFactory, UserFactory, of
from sqlalchemy import func, select
"""


@pytest.fixture
def models(make_shop):
    """Return the project with models of every kind."""
    return make_shop(MODELS, FACTORIES)


STORED = """
MODELS = [User, Post, Tag, Node, Review, Writer, Line, Part, Membership, Employee, Engineer, Everything]

@pytest.mark.parametrize("related", [True, False, None])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
async def test_one(db_session, model, related):
    factory = of(model) if related is None else of(model, __set_relationships__=related)
    stored = await factory.create_batch_async(10)
    assert await db_session.scalar(select(func.count()).select_from(model)) >= 10
    db_session.expunge_all()
    assert len((await db_session.scalars(select(model))).all()) >= 10
    assert len(factory.create_batch_sync(5)) == 5

async def test_what_is_drawn():
    everything = await of(Everything).create_async()
    assert everything.doubled == everything.code * 2 and everything.made == 1 and everything.id == 1
    assert everything.size in ("small", "large") and isinstance(everything.colour, Colour)
    assert isinstance(everything.price, Decimal) and everything.price.as_tuple().exponent == -2
    engineer = await of(Engineer).create_async()
    assert (engineer.kind, engineer.version, engineer.boss_id) == ("engineer", 1, None)

async def test_parents():
    user = await UserFactory.create_async()
    assert user.id == 1 and "posts" not in vars(user)
    post = await PostFactory.create_async()
    assert post.author_id == post.author.id == 2
    by_key, by_parent = await PostFactory.create_async(author_id=user.id), await PostFactory.create_async(author=user)
    assert by_key.author_id == by_parent.author_id == user.id
    review = await of(Review).create_async()
    assert review.writer_id != review.editor_id and review.checker_id is None
    writer = await of(Writer).create_async()
    assert [review.writer_id for review in writer.reviews] == [writer.id]
    assert writer.reviews[0].editor_id not in (None, writer.id)
    assert (await PostFactory.create_async(author={"name": "ada"})).author.name == "ada"
    assert len(PostFactory.batch(size=2)) == 2
    node = await of(Node).create_async(parent=await of(Node).create_async())
    assert node.parent.parent is None

async def test_a_parent_that_nothing_makes(db_session):
    with pytest.raises(pytest_crucible.UsageError) as caught:
        await of(Loose).create_async()
    assert str(caught.value).startswith("Loose.user_id refers to users.id, may not be NULL, and was not given.\\n")
    assert "create_async(user_id=parent.id)" in str(caught.value)
    await db_session.rollback()
    with pytest.raises(pytest_crucible.UsageError, match="Loose.user_id refers to users.id"):
        await pytest_crucible.bulk_create(of(Loose), 2)
    await db_session.rollback()
    user = await UserFactory.create_async()
    assert (await of(Loose).create_async(user_id=user.id)).maybe_id is None
"""


@pytest.mark.slow
def test_every_model_can_be_stored(models):
    """A batch of each, with relationships and without, over asyncpg and psycopg."""
    models.run(HEAD + STORED).assert_outcomes(passed=39)


@pytest.mark.slow
def test_what_a_factory_says_itself_wins(models):
    """Explicit settings, declared fields and arguments."""
    models.run(
        HEAD
        + """
class Keyed(SQLAlchemyFactory[User]):
    __set_primary_key__ = True
    __set_relationships__ = False

class Declared(SQLAlchemyFactory[User]):
    __set_relationships__ = False
    id = Use(lambda: 77)
    email = PostGenerated(lambda name, values: values["name"][:5] + "@x")

class Child(SQLAlchemyFactory[Post]):
    author_id = 77

class Foreign(SQLAlchemyFactory[Post]):
    __set_relationships__ = False
    __set_foreign_keys__ = True

async def test_one():
    assert Keyed.build().id is not None
    assert (await Declared.create_async()).id == 77
    assert (await UserFactory.create_async(id=78)).id == 78
    child = await Child.create_async()
    assert child.author_id == 77 and "author" not in vars(child)
    assert Foreign.build().author_id is not None
    assert UserFactory.build().id is None
"""
    ).assert_outcomes(passed=1)
    models.run(
        """
        from factories import PostFactory, UserFactory
        def test_one():
            assert UserFactory.build().id is not None  # here nothing is stored: as Polyfactory draws it
            assert PostFactory.build().author_id is not None
        """,
        name="unit/test_unit.py",
    ).assert_outcomes(passed=1)


@pytest.mark.slow
def test_unique_columns(models):
    """A thousand rows, in one batch and one by one, and beside the rows of a wide fixture."""
    models.run(
        HEAD
        + """
async def test_a_thousand():
    assert len({user.email for user in await UserFactory.create_batch_async(1000)}) == 1000

async def test_few_values():
    rows = await of(Unique).create_batch_async(150)
    assert len({row.tiny.lower() for row in rows}) == len({row.word.lower() for row in rows}) == 150
    assert all(len(row.tiny) <= 3 and len(row.word) <= 4 for row in rows)

async def test_one_by_one():
    user = await UserFactory.create_async()
    for _ in range(50):
        await of(Tag).create_async()
        await of(Unique).create_async(user=user)

@pytest.fixture(scope="module")
async def wide():
    return [tag.slug for tag in await of(Tag).create_batch_async(100)]

@pytest.mark.parametrize("i", range(2))
async def test_beside_a_layer(wide, i):
    tags = await of(Tag).create_batch_async(100)
    assert not {tag.slug for tag in tags} & set(wide)

async def test_a_declared_one():
    class Fixed(SQLAlchemyFactory[User]):
        email = Use(iter(["a", "a", "b"]).__next__)
        __set_relationships__ = False
    assert [user.email for user in await Fixed.create_batch_async(2)] == ["a", "b"]
"""
    ).assert_outcomes(passed=6)
