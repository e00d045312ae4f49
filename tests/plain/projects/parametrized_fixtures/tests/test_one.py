import pytest
from app import add, names, remove


class TestClass:
    def test_all(self, of_module, of_class, of_function):
        assert names() - {"package"} == {"session", of_module, of_class, of_function}

    def test_adds(self, of_module, of_class):
        add("x")
        assert names() - {"package"} == {"session", of_module, of_class, "x"}
        remove("x")


@pytest.mark.parametrize("n", range(2))
def test_late(n, request):
    before = names()
    request.getfixturevalue("of_function_late")
    assert names() == before | {"late"}


@pytest.fixture
def of_function_late():
    add("late")
    yield
    remove("late")


def test_package(of_package):
    assert {"session", "package"} <= names()
