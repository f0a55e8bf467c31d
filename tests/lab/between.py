"""Something happens between two commands that would go to a host together."""

from collections.abc import Callable, Iterator, Sequence

from cluster.lvs.command import Command
from cluster.remote.shell import NothingSent, OutcomeUnknown, Output, Shell
from tests.control.test_recovery import good


def at(
    shell: Shell, due: Callable[[Command], bool], send: Callable[[Command], Output]
) -> Shell:
    """Let *send* carry out the commands that are *due*; what stands before and after
    such a one goes in round trips of its own."""
    in_order = shell.run_in_order

    def run_in_parts(commands: Sequence[Command]) -> Iterator[Output]:
        point = next((n for n, one in enumerate(commands) if due(one)), -1)
        if point < 0:
            yield from in_order(commands)
            return
        before, one, after = commands[:point], commands[point], commands[point + 1 :]
        answers = list(in_order(before)) if before else []
        yield from answers
        if answers and not good(before[-1], answers[-1]):
            return
        output = send(one)
        yield output
        if after and good(one, output):
            yield from run_in_parts(after)

    shell.run_in_order = lambda commands: _told_apart(
        shell.name, run_in_parts(commands)
    )
    return shell


def _told_apart(name: str, answers: Iterator[Output]) -> Iterator[Output]:
    """Yield the answers. A login that is lost after the first of them is no NothingSent:
    of those that would have gone together some were carried out."""
    answered = False
    try:
        for output in answers:
            answered = True
            yield output
    except NothingSent as error:
        if not answered:
            raise
        raise OutcomeUnknown(name, str(error)) from error
