import asyncio

import pytest


@pytest.mark.asyncio
async def test_shelf(shelf):
    await asyncio.sleep(0)
    assert len(shelf) == 2
