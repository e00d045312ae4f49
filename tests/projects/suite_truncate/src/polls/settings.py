import os


class Settings:
    database_url = os.environ.get(
        "DATABASE_URL", "postgresql+asyncpg://polls:secret@db.polls.invalid/polls"
    )


settings = Settings()
