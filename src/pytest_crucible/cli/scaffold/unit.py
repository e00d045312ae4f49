"""The layer of tests that may not touch the database."""

from __future__ import annotations

from . import schemas
from .subject import Subject, imported


def schema(subject: Subject) -> str | None:
    """A test of a schema; without one, of a model; without either, none."""
    place = schemas.with_required_fields(subject.finds)
    return _schema(subject, place.path) if place is not None else _model(subject)


def _schema(subject: Subject, path: str) -> str:
    name = path.partition(":")[2]
    test = f'''\
def test_what_{_snake(name)}_requires(subtests: pytest.Subtests):
    """Each required field of {name} is named where it is missing."""
    with pytest.raises(ValidationError) as refused:
        {name}.model_validate({{}})
    missing = {{error["loc"][0] for error in refused.value.errors()}}
    for field, declared in {name}.model_fields.items():
        with subtests.test(field=field):
            assert (field in missing) == declared.is_required()'''
    imports = ["import pytest", "from pydantic import ValidationError", imported(path)]
    return subject.module("The schemas, without a database.", imports, test)


def _model(subject: Subject) -> str | None:
    row = subject.row
    if row is None or not row.values:
        return None
    columns = ", ".join(f'"{name}"' for name in row.values)
    table = row.name if row.model.is_table else f"{row.name}.__table__"
    test = f'''\
def test_required_columns_of_{_snake(row.name)}(subtests: pytest.Subtests):
    """No row goes without them."""
    for name in [{columns}]:
        with subtests.test(column=name):
            assert not {table}.c[name].nullable'''
    return subject.module("The models, without a database.", ["import pytest", subject.row_import], test)


def no_database(subject: Subject) -> str | None:
    """A test that shows the layer's rule, where an engine can be named."""
    engines = [
        one for one in subject.finds.engines if one.at_module_level and not one.module.is_test and one.place.name
    ]
    if not engines:
        return None
    engine = engines[0]
    test = f'''\
{"async def" if engine.is_async else "def"} test_the_database_is_out_of_reach():
    """A unit test that connects gets an error, however deep in the code it does."""
    with pytest.raises(RedirectError):
        {"await " if engine.is_async else ""}{engine.place.name}.connect()'''
    imports = ["import pytest", "from pytest_crucible import RedirectError", imported(engine.place.path)]
    return subject.module(
        "What holds for every test in this folder.", imports, subject.marks(is_async=engine.is_async), test
    )


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
