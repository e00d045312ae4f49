import contextlib

import pytest
from app import Base, add, engine, remove


@contextlib.contextmanager
def tag(name):
    add(name)
    yield name
    remove(name)


@pytest.fixture(scope="session", autouse=True)
def of_session():
    Base.metadata.create_all(engine)
    with tag("session"):
        yield


@pytest.fixture(scope="module", params=["m1", "m2"])
def of_module(request):
    with tag(request.param) as name:
        yield name


@pytest.fixture(scope="class", params=["c1", "c2"])
def of_class(request):
    with tag(request.param) as name:
        yield name


@pytest.fixture(params=["f1", "f2"])
def of_function(request):
    with tag(request.param) as name:
        yield name


@pytest.fixture(scope="package")
def of_package():
    with tag("package"):
        yield
