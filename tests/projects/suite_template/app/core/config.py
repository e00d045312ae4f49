import os


class Settings:
    SECRET_KEY = os.environ.get("SECRET_KEY", "changethis-changethis-changethis")
    FIRST_SUPERUSER = "admin@example.com"
    FIRST_SUPERUSER_PASSWORD = "changethis"
    SQLALCHEMY_DATABASE_URI = os.environ.get(
        "DATABASE_URL", "postgresql+psycopg://app:secret@db.app.invalid/app"
    )


settings = Settings()
