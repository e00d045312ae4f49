from sqlmodel import Session, create_engine, select

from app.core.config import settings
from app.core.security import get_password_hash
from app.models import User

engine = create_engine(settings.SQLALCHEMY_DATABASE_URI)


def init_db(session: Session) -> None:
    user = session.exec(select(User).where(User.email == settings.FIRST_SUPERUSER)).first()
    if not user:
        password = get_password_hash(settings.FIRST_SUPERUSER_PASSWORD)
        user = User(email=settings.FIRST_SUPERUSER, hashed_password=password, is_superuser=True)
        session.add(user)
        session.commit()
