from sqlmodel import Session, SQLModel, create_engine

engine = create_engine("postgresql://heroes:secret@db.heroes.invalid/heroes")


def create_tables():
    SQLModel.metadata.create_all(engine)


def get_session():
    with Session(engine) as session:
        yield session
