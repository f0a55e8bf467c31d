"""A Shell without a host: remembers commands, answers, and fails when told to.

It passes the contract tests of tests/remote/test_shell_contract.py.
"""

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from cluster.lvs import sequence
from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import STDERR_CAP, STDOUT_CAP, sent_line
from cluster.remote.shell import (
    NothingSent,
    OutcomeUnknown,
    Output,
    RemoteError,
    Unreachable,
)

Answer = str | bytes | Output
Answers = Mapping[str, Answer] | Callable[[Command], Answer]


class FakeShell:
    """Answers are found by `shlex.join(argv)`, without sudo, or given by a function::

        FakeShell("lb01", {"ipvsadm -Sn": "-A -t 10.0.1.31:80 -s rr\\n"})

    What is not found exits with 127, as a shell does. `sent` has every command that
    reached the host, the ones with an unknown outcome too.
    """

    # Whether the host is at the end of many commands before we hear of the first, or
    # waits after each until its answer was taken: both happen.
    ahead = False
    # Whether answers that came before a loss are lost as well.
    deaf = False

    def __init__(self, name: str = "lb01", answers: Answers | None = None) -> None:
        self._name = name
        self._answers: Answers = {} if answers is None else answers
        self._failures: list[tuple[str, RemoteError, bool]] = []
        self.sent: list[Command] = []
        self.trips: list[int] = []  # how many commands went together
        self.rest: Sequence[Command] = ()  # those that go with the one that is run
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def lines(self) -> list[str]:
        """Return what was sent, as `ipvsadm -Sn`, without sudo."""
        return [shlex.join(command.argv) for command in self.sent]

    def fail(
        self, error: RemoteError, on: str = "", *, took_effect: bool = True
    ) -> None:
        """Raise `error` once, for the next command that starts with `on`.

        An OutcomeUnknown comes after the command was carried out, or, with
        `took_effect` False, after it was sent and lost. A NothingSent comes before.
        """
        self._failures.append((on, error, took_effect))

    def run(self, command: Command) -> Output:
        if self.closed:
            raise Unreachable(self.name, f"{self.name} closed the connection.")
        failure = self._failure(shlex.join(command.argv))
        if failure and isinstance(failure[0], NothingSent):
            raise failure[0]
        self.sent.append(command)
        if failure:
            if failure[1]:
                self._answer(command)
            raise failure[0]
        return self._checked(command, self._answer(command))

    def run_all(self, commands: Sequence[Command]) -> list[Output]:
        return [self.run(command) for command in commands]

    def run_in_order(self, commands: Sequence[Command]) -> Iterator[Output]:
        """One after the other through `run`; see `ahead`."""
        self.trips.append(len(commands))
        answers = self._in_order(commands)
        if not self.ahead:
            yield from answers
            return
        held: list[Output] = []
        lost: RemoteError | None = None
        try:
            held.extend(answers)  # what came before a loss stays
        except OutcomeUnknown as error:
            lost = error
        if not (lost and self.deaf):
            yield from held
        if lost:
            raise lost

    def _in_order(self, commands: Sequence[Command]) -> Iterator[Output]:
        for number, command in enumerate(commands):
            self.rest = commands[number + 1 :]
            try:
                output = self.run(command)
            except NothingSent as error:
                if number == 0:
                    raise
                raise OutcomeUnknown(self.name, str(error)) from error
            yield output
            if not sequence.succeeded(command, output.exit_status, output.stderr):
                return

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _failure(self, line: str) -> tuple[RemoteError, bool] | None:
        for index, (on, error, took_effect) in enumerate(self._failures):
            if line.startswith(on):
                del self._failures[index]
                return error, took_effect
        return None

    def _answer(self, command: Command) -> Output:
        answer: Answer | None
        if callable(self._answers):
            answer = self._answers(command)
        else:
            answer = self._answers.get(shlex.join(command.argv))
        if isinstance(answer, Output):
            return answer
        if answer is None:
            text = f"sh: 1: {command.argv[0]}: not found\n"
            return Output(127, b"", text.encode(), 0.0, truncated=False)
        stdout = answer.encode() if isinstance(answer, str) else answer
        return Output(0, stdout, b"", 0.0, truncated=False)

    def _checked(self, command: Command, output: Output) -> Output:
        """Do what the real one does about deadlines, caps and lost statuses."""
        if output.seconds >= command.deadline or output.exit_status < 0:
            raise OutcomeUnknown(
                self.name,
                f"{self.name} did not answer in time. It is not known what became of: "
                f"{command.line}",
            )
        stdout, stderr = output.stdout[:STDOUT_CAP], output.stderr[:STDERR_CAP]
        cut = len(stdout) < len(output.stdout) or len(stderr) < len(output.stderr)
        return Output(
            output.exit_status, stdout, stderr, output.seconds, output.truncated or cut
        )


def run_here(command: Command) -> Output:
    """Answer by really running `command` on this machine, as sshd would."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", sent_line(command)],
            input=command.stdin,
            capture_output=True,
            timeout=command.deadline,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Output(-1, b"", b"", command.deadline, truncated=False)
    seconds = time.monotonic() - started
    return Output(done.returncode, done.stdout, done.stderr, seconds, truncated=False)
