import os

DATABASE_URL = os.getenv("DATABASE_URL", "postgresql+psycopg2://todo:secret@db.todo.invalid/todo")
