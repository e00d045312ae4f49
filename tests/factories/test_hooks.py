"""What the binding replaces in Polyfactory is there, and takes what we give it."""

from __future__ import annotations

import inspect

import pytest
from polyfactory.factories import BaseFactory
from polyfactory.factories.pydantic_factory import ModelFactory
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

HOOKS = {
    BaseFactory: {
        "seed_random": ["seed"],
        "get_provider_map": [],
        "get_constrained_field_value": ["annotation", "field_meta", "field_build_parameters", "build_context"],
    },
    ModelFactory: {"get_provider_map": []},
    SQLAlchemyFactory: {
        "should_set_field_value": ["field_meta", "kwargs"],
        "get_model_fields": [],
        "process_kwargs": ["kwargs"],
        "batch": ["size", "kwargs"],
        "get_type_from_column": ["column"],
        "get_sqlalchemy_types": [],
        "get_provider_map": [],
    },
}
ATTRIBUTES = {
    BaseFactory: ["__random__", "__faker__", "__sync_persistence__", "__async_persistence__"],
    SQLAlchemyFactory: ["__set_primary_key__", "__set_foreign_keys__", "__set_relationships__", "__session__"],
}


@pytest.mark.parametrize(("home", "name"), [(home, name) for home, names in HOOKS.items() for name in names])
def test_a_method(home, name):
    """Each method that is replaced is a class method with the arguments that are passed on."""
    found = getattr(home, name, None)
    assert found is not None, (
        f"Polyfactory has no {home.__name__}.{name} any more: factories/polyfactory/binding.py replaces it"
    )
    assert list(inspect.signature(found).parameters) == HOOKS[home][name], "see factories/polyfactory/binding.py"


@pytest.mark.parametrize(("home", "name"), [(home, name) for home, names in ATTRIBUTES.items() for name in names])
def test_an_attribute(home, name):
    """Each attribute that is replaced or read is there."""
    assert hasattr(home, name), (
        f"Polyfactory has no {home.__name__}.{name} any more: factories/polyfactory/binding.py uses it"
    )
