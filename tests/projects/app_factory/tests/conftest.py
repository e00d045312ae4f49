import asyncio

import pytest


# One loop for the whole run
@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.get_event_loop_policy().new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def shelf():
    return ["Emma", "Persuasion"]
