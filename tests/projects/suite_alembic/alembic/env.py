from alembic import context
from sqlalchemy import create_engine

from todo.config import DATABASE_URL
from todo.models import Base

config = context.config
target_metadata = Base.metadata

engine = create_engine(config.get_main_option("sqlalchemy.url") or DATABASE_URL)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()
