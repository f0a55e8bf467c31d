"""A continuous load on a VIP, from inside the lab's client host, counted by the client.

One process of perl, which every host has: a loop over select(2) keeps *parallel*
requests on their way, each on a connection of its own (HTTP/1.0, no keepalive), so that
each one is balanced anew. A request has failed when it was refused, reset, cut short,
took longer than 20 s (a SYN that is lost is sent again after 1, 3 and 7 s), or was
answered with anything but 200 and the name of a web host.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.lab.running import Lab

_GENERATOR = r"""
use strict; use Socket; use Fcntl; use Errno qw(EINPROGRESS EAGAIN);
use Time::HiRes qw(time);
my ($vip, $port, $parallel) = @ARGV;
my $to = pack_sockaddr_in($port, inet_aton($vip));
my $request = "GET / HTTP/1.0\r\nHost: $vip\r\n\r\n";
my ($ok, $failed, $slow, $begun, $told, %by, %why, %open) = (0, 0, 0, time, 0);
my $stop = 0; $SIG{TERM} = sub { $stop = 1 }; $SIG{PIPE} = 'IGNORE';
sub begin {
    socket(my $s, PF_INET, SOCK_STREAM, 6) or die $!;
    fcntl($s, F_SETFL, O_NONBLOCK) or die $!;
    my $one = { s => $s, said => '', sent => 0, at => time };
    $open{fileno $s} = $one;
    if (!connect($s, $to) && $! != EINPROGRESS) { finish($one, "connect: $!") }
}
sub finish {
    my ($one, $why) = @_;
    delete $open{fileno $one->{s}};
    close $one->{s};
    if (!$why) {
        $why = 'answer: ' . substr $one->{said}, 0, 60
            unless $one->{said} =~ m{^HTTP/1\.[01] 200 .*\r\n\r\n(web\d)\n$}s;
        if (!$why) { $ok++; $by{$1}++; $slow++ if time - $one->{at} > 3; return }
    }
    $failed++; $why{sprintf '%s (after %.1f s)', $why, time - $one->{at}}++;
}
sub report {
    $told = time;
    my $pairs = sub { my $h = shift;
        join ',', map { my $k = $_; my $v = $h->{$k}; $k =~ s/[^\w :().\/-]/ /g; "\"$k\":$v" } keys %$h };
    open my $file, '>', '/run/load.new' or die $!;
    printf $file '{"ok":%d,"failed":%d,"slow":%d,"seconds":%.2f,"by":{%s},"why":{%s}}',
        $ok, $failed, $slow, time - $begun, $pairs->(\%by), $pairs->(\%why);
    close $file; rename '/run/load.new', '/run/load.json';
}
while (!$stop || %open) {
    begin() while !$stop && keys %open < $parallel;
    my ($r, $w) = ('', '');
    for my $one (values %open) { vec($one->{sent} ? $r : $w, fileno $one->{s}, 1) = 1 }
    select($r, $w, undef, 0.2);
    my $now = time;
    for my $fd (keys %open) {
        my $one = $open{$fd};
        if (vec($w, $fd, 1)) {
            my $error = unpack 'i', getsockopt($one->{s}, SOL_SOCKET, SO_ERROR);
            if ($error) { $! = $error; finish($one, "connect: $!"); next }
            if (!defined syswrite $one->{s}, $request) { finish($one, "write: $!"); next }
            $one->{sent} = 1;
        } elsif (vec($r, $fd, 1)) {
            my $n = sysread $one->{s}, $one->{said}, 4096, length $one->{said};
            if (!defined $n) { finish($one, "read: $!") unless $! == EAGAIN }
            elsif ($n == 0) { finish($one) }
        } elsif ($now - $one->{at} > 20) {
            finish($one, $one->{sent} ? 'no answer' : 'no connection');
        }
    }
    report() if $now - $told > 0.5;
}
report();
"""


@dataclass(frozen=True)
class Count:
    """What the client has counted; *why* are the failures in words."""

    ok: int
    failed: int
    slow: int  # answered, but after more than 3 s
    seconds: float
    by: dict[str, int]
    why: dict[str, int]

    @property
    def rate(self) -> float:
        return self.ok / self.seconds

    def __sub__(self, before: Count) -> Count:
        by = {name: n - before.by.get(name, 0) for name, n in self.by.items()}
        return Count(
            self.ok - before.ok,
            self.failed - before.failed,
            self.slow - before.slow,
            self.seconds - before.seconds,
            {name: n for name, n in by.items() if n},
            {w: n for w, n in self.why.items() if n != before.why.get(w)},
        )


class Load:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def start(self, vip: str, port: int, parallel: int) -> None:
        put = f"cat > /run/load.pl <<'END'\n{_GENERATOR}\nEND\nrm -f /run/load.json"
        self.lab.ssh("client", put)
        run = f"/run/load.pl {vip} {port} {parallel}"
        unit = "systemd-run --quiet --collect --unit lab-load perl"
        self.lab.ssh("client", f"{unit} {run}")
        self.wait(20)

    def now(self) -> Count:
        return Count(**json.loads(self.lab.ssh("client", "cat /run/load.json")))

    def wait(self, requests: int) -> Count:
        """Return once so many more requests were answered or have failed."""
        end, before = time.monotonic() + 180, None
        while True:
            try:
                now = self.now()
            except AssertionError:  # nothing was written yet
                assert time.monotonic() < end
                continue
            before = before or now
            more = now - before
            if more.ok + more.failed >= requests:
                return more
            assert time.monotonic() < end, f"only {more.ok} requests"

    def stop(self) -> Count:
        self.lab.ssh("client", "systemctl stop lab-load; true")
        return self.now()


@contextmanager
def load(lab: Lab, vip: str, port: int = 80, parallel: int = 16) -> Iterator[Load]:
    """Ask the VIP again and again while the block lasts."""
    running = Load(lab)
    running.start(vip, port, parallel)
    try:
        yield running
    finally:
        lab.ssh("client", "systemctl stop lab-load; true")
