from tests.fixtures.factories import UserCreateFactory


def test_user_create_is_built():
    assert UserCreateFactory.build().email
