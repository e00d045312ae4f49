"""A crowd: many processes that each take a lease, look whether the server answers, and leave or are killed.

They are forked from one that has imported everything, so that they meet more often than if each had to start first.

Usage: crowd.py ROOT CACHE CLIENTS AT_ONCE. Prints one line for each client that failed, and how many did what.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import psycopg

from pytest_crucible.server import lease

root, cache = Path(sys.argv[1]), Path(sys.argv[2])
clients, at_once = int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(1)  # noqa: S311 - no secret


def client(number):
    """Take a lease, use it, leave."""
    held = lease("embedded", root=root, cache=cache)
    with psycopg.connect(**held.admin.libpq()) as connection:
        assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)
    if number % 50 == 0:
        held.keep_image()
    time.sleep(random.Random(number).choice([0, 0, 0.01, 0.05]))  # noqa: S311
    held.release()


def start(number):
    child = os.fork()
    if not child:
        try:
            client(number)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must not go on as its parent
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)
    # A third is doomed; the others never are.
    doom = time.monotonic() + chance.uniform(0, 0.3) if chance.random() < 1 / 3 else None
    return child, doom


results = Counter()
running = {}
for number in range(clients):
    child, doom = start(number)
    running[child] = doom
    # At times all are let go, so that the server ends and has to be started again.
    while len(running) >= at_once or (running and number % 20 == 19) or (running and number == clients - 1):
        for pid, until in running.items():
            if until and time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            del running[pid]
            killed = os.WIFSIGNALED(status)
            results["killed" if killed else "failed" if status else "done"] += 1
        time.sleep(0.001)
print(dict(results))
sys.exit(bool(results["failed"]))
