"""Who is shown the door while others come in."""

import asyncio

from cluster.admission import Ticket
from cluster.broadcast import Broadcast, Queue


async def checked() -> dict[str, bool]:
    """Let somebody in while the database is asked about the others; say who is out."""
    broadcast, queues = Broadcast(), {name: Queue(8) for name in ("in", "out", "new")}
    tickets = {name: Ticket(n, name) for n, name in enumerate(queues)}

    def come(name):
        broadcast._tickets[queues[name]] = tickets[name]

    async def ask(_work, asked):
        assert asked == {tickets["in"], tickets["out"]}
        come("new")
        return {tickets["in"]}

    come("in")
    come("out")
    broadcast._call = ask
    await broadcast._check()
    return {name: not queue.empty() for name, queue in queues.items()}


def test_who_comes_while_the_others_are_checked_stays():
    assert asyncio.run(checked()) == {"in": False, "out": True, "new": False}
