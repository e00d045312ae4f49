import pytest
from app import Base, SessionLocal, engine


@pytest.fixture
def session():
    Base.metadata.create_all(engine)
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()
        Base.metadata.drop_all(engine)
