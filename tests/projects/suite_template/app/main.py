from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from sqlmodel import select

from app.api.deps import CurrentUser, SessionDep, get_current_active_superuser
from app.core.security import create_access_token, get_password_hash
from app.models import Token, User, UserCreate, UserPublic

router = APIRouter()


@router.post("/login/access-token")
def login(session: SessionDep, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    user = session.exec(select(User).where(User.email == form.username)).first()
    if not user or user.hashed_password != get_password_hash(form.password):
        raise HTTPException(400, "Incorrect email or password")
    return Token(access_token=create_access_token(str(user.id), timedelta(hours=1)))


@router.get("/users/me", response_model=UserPublic)
def read_me(current_user: CurrentUser):
    return current_user


@router.post(
    "/users/", response_model=UserPublic, dependencies=[Depends(get_current_active_superuser)]
)
def create_user(session: SessionDep, data: UserCreate):
    if session.exec(select(User).where(User.email == data.email)).first():
        raise HTTPException(400, "The user with this email already exists in the system.")
    password = get_password_hash(data.password)
    user = User.model_validate(data, update={"hashed_password": password})
    session.add(user)
    session.commit()
    session.refresh(user)
    return user


app = FastAPI()
app.include_router(router, prefix="/api/v1")
