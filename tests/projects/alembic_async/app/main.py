from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.models import Post

engine = create_async_engine("postgresql+asyncpg://blog:secret@db.blog.invalid/blog")
async_session = async_sessionmaker(engine, expire_on_commit=False)

app = FastAPI()
admin = FastAPI()
app.mount("/admin", admin)


async def get_session():
    async with async_session() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


@app.get("/posts")
async def posts(session: AsyncSession = Depends(get_session)):
    return [post.slug for post in await session.scalars(select(Post))]


@admin.get("/health")
async def health():
    return {"status": "ok"}
