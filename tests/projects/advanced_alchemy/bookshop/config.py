from advanced_alchemy.extensions.fastapi import AdvancedAlchemy, AsyncSessionConfig, SQLAlchemyAsyncConfig

sqlalchemy_config = SQLAlchemyAsyncConfig(
    connection_string="postgresql+asyncpg://books:secret@db.books.invalid/books",
    session_config=AsyncSessionConfig(expire_on_commit=False),
    commit_mode="autocommit",
)
alchemy = AdvancedAlchemy(config=sqlalchemy_config)
