"""A template whose schema is SQL."""

from __future__ import annotations

import psycopg

from pytest_crucible.control import Admin, Rights, reset
from pytest_crucible.control.templates import Template

OWNER = "app"
RIGHTS = Rights(superuser=True, replica=True)


def build_template(admin: Admin, name: str, schema: str) -> Template:
    """Return a template whose *schema* is SQL."""
    admin.role(OWNER)
    admin.create(name, owner=OWNER, template="template0")
    address = admin.address.to(name)
    with psycopg.connect(**address.to(name, user=OWNER).libpq(), autocommit=True) as connection:
        connection.execute(schema)
    admin.empty(name)
    reset.install(address, RIGHTS)
    admin.empty(name)
    return Template(name, OWNER)
