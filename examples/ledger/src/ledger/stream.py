"""The users who are connected to this process, and the events that each of them waits for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.models.declarative import Json

Queue = asyncio.Queue[Json]


class Hub:
    """The hub that hands the events of this process to the users' open streams."""

    def __init__(self) -> None:
        self._queues: defaultdict[int, set[Queue]] = defaultdict(set)

    @contextmanager
    def subscribe(self, user_id: int) -> Iterator[Queue]:
        """Yield a queue of the user's transfers from now on."""
        queue: Queue = asyncio.Queue()
        self._queues[user_id].add(queue)
        try:
            yield queue
        finally:
            self._queues[user_id].discard(queue)

    def publish(self, event: Json) -> None:
        """Give a transfer to every user whose accounts it touched."""
        for user_id in event["users"]:
            for queue in self._queues[user_id]:
                queue.put_nowait(event["transfer"])
