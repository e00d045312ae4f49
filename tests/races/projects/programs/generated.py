"""Programs drawn at random, in which rare constructs are preferred."""

from __future__ import annotations

from collections import Counter
from random import Random

from programs import Actor

# Each construct, with statements that have it.
CONSTRUCTS = {
    "select": ["SELECT n FROM accounts WHERE id = 1", "SELECT sum(n) FROM accounts", "SELECT n FROM counters"],
    "update": ["UPDATE accounts SET n = n + 1 WHERE id = 1", "UPDATE accounts SET n = n * 2 WHERE id = 2"],
    "insert": ["INSERT INTO accounts VALUES (3, 30)", "INSERT INTO sums VALUES ('$who', 1)"],
    "delete": ["DELETE FROM accounts WHERE n > 10", "DELETE FROM tags", "DELETE FROM sums"],
    "for update": ["SELECT n FROM accounts WHERE id = 1 FOR UPDATE", "SELECT name FROM tags FOR SHARE"],
    "nowait": ["SELECT n FROM accounts WHERE id = 1 FOR UPDATE NOWAIT"],
    "skip locked": ["SELECT id FROM accounts ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"],
    "unique violation": ["INSERT INTO tags VALUES ('x')", "SELECT claim('x')", "SELECT claim('y')"],
    "division by zero": ["SELECT 1 / (n - 10) FROM accounts", "SELECT 1 / (last_value - 2) FROM numbers"],
    "advisory lock": ["SELECT pg_advisory_xact_lock(1)"],
    "try-lock": ["SELECT pg_try_advisory_xact_lock(1)", "SELECT pg_try_advisory_xact_lock_shared(1)"],
    "notify": ["NOTIFY news, '$who'", "SELECT pg_notify('news', '$who')"],
    "foreign key": ["INSERT INTO children (account) VALUES (1)", "INSERT INTO children (account) VALUES (3)"],
    "deferred": ["INSERT INTO late VALUES (3)", "INSERT INTO watched VALUES ('$who')", "SET CONSTRAINTS ALL IMMEDIATE"],
    "unique index": ["INSERT INTO tags VALUES ('y')", "UPDATE tags SET name = 'y'"],
    "trigger": ["INSERT INTO entries VALUES ('$who')"],
    "upsert": [
        "INSERT INTO tags VALUES ('y') ON CONFLICT (name) DO UPDATE SET n = tags.n + 1 RETURNING n",
        "INSERT INTO tags VALUES ('y') ON CONFLICT DO NOTHING RETURNING n",
    ],
    "now": ["INSERT INTO log (who, at) VALUES ('$who', now())"],
    "sequence": ["SELECT nextval('numbers')", "SELECT last_value, is_called FROM numbers"],
}
AROUND = ["read committed", "repeatable read", "serializable", "read-only", "rollback", "try", "undo"]
LEVELS = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
# The numbers of statements of the actors.
SIZES = [(3, 3), (3, 3), (4, 2), (1, 1, 1)]


class Programs:
    """Programs drawn at random.

    Attributes:
        counts: In how many programs each construct has come.
    """

    def __init__(self, seed: int) -> None:
        self.counts = Counter(dict.fromkeys([*CONSTRUCTS, *AROUND], 0))
        self._random = Random(seed)

    def draw(self, most: int) -> list[Actor]:
        """Return the actors of a program that sends at most *most* statements."""
        while True:
            drawn = [self._actor(size) for size in self._random.choice(SIZES)]
            if sum(actor.size for actor, _ in drawn) <= most:
                self.counts.update(set().union(*(names for _, names in drawn)))
                return [actor for actor, _ in drawn]

    def _actor(self, most: int) -> tuple[Actor, set[str]]:
        names, steps = set(), []
        for _ in range(self._random.randint(1, most)):
            construct, mark = self._construct(), self._random.choice(["", "", "", "try ", "undo "])
            names |= {construct, mark.strip()} - {""}
            steps.append(mark + self._random.choice(CONSTRUCTS[construct]))
        is_read_only, is_committed = self._random.random() < 0.15, self._random.random() < 0.8
        actor = Actor(steps, self._random.choice(LEVELS), is_read_only, is_committed)
        names.add(actor.isolation.lower())
        names |= {"read-only"} if is_read_only else set()
        return actor, names | (set() if is_committed else {"rollback"})

    def _construct(self) -> str:
        pair = self._random.sample(sorted(CONSTRUCTS), 2)
        return min(pair, key=self.counts.__getitem__)
