from datetime import timedelta

from ledger.settings import Settings, from_environ


def test_defaults_are_production():
    """Without variables, the service is the one in production."""
    assert from_environ({}) == Settings()


def test_environment_overrides():
    """Each variable replaces one default."""
    found = from_environ({"LEDGER_DATABASE_URL": "postgresql+asyncpg:///staging", "LEDGER_TOKEN_MINUTES": "5"})
    assert found.database_url == "postgresql+asyncpg:///staging"
    assert found.token_lifetime == timedelta(minutes=5)
