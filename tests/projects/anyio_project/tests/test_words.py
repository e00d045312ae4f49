import anyio
import pytest

pytestmark = pytest.mark.anyio


async def test_sleep():
    await anyio.sleep(0)
