"""What a director tells us every two seconds: the remote loop, and how it is read.

The loop runs as our own user: files under /proc are read with built-ins of bash (no
process is started), only ipvsadm needs root. One sudo for each of its listings would cost
three times what they cost, so one is kept for all of them: the **lister**, a fixed line
of shell that reads names of listings and nothing else. A host whose sudo does not know
it yet is asked with a sudo for each. A frame is what ipvsadm said, and a few sections,
each behind 0x1D and a line with its name::

    <ipvsadm>\\x1dboot\\n<boot id>\\x1dstatus\\n0 8231 0 17
    \\x1dtable\\n<ip_vs>\\x1dtotal\\n<ip_vs_stats>

``table`` and ``total`` are missing while ip_vs is not loaded; asking ipvsadm then would
load it. ipvsadm is asked less often where it is costly (then there is no ``status``).
While neither table nor totals move it need not be asked: every packet counts in the
totals, too, so all that frame 17 said still holds, and ``rest`` says 17 in its place.
Every fifth frame has table and totals all the same, for who missed number 17.
``addresses`` come when one of them has changed, ``thresholds``, ``timeouts`` and
``daemons`` every 120 s.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.lvs.command import Command
from cluster.lvs.kernel_table import HEAD_LINES

SECTION = b"\x1d"
# Ends a line as well as a newline does.
LINE = b"\x1f"
PERIOD = 2.0
# Frames leave on the eighths of a period of the director's clock: those of many directors
# come together, and are read, published and written together for half of what it costs to
# do so one by one.
BEATS = 8
STATS = ("ipvsadm", "-Ln", "--stats", "--exact")
ADDRESSES = ("ip", "-j", "addr", "show")
# Says a line when an address comes or goes; runs as long as the loop.
MOVES = ("ip", "monitor", "address")
# Frames between two looks at the addresses of a host that does not tell us of changes:
# 10 s. Also the second look everywhere: the first may come before it tells. A director
# at rest sends its table as often.
ADDRESSES_EVERY = 5
# A director at rest is asked for its counters with every 30th frame, 60 s: a service whose
# counters were set to zero leaves the totals as they are. And for addresses, if it tells
# of changes.
REST_EVERY = 30
# What seldom changes is asked with every 60th: 120 s, as to list the thresholds costs as
# much as to list the counters. Sections by their names.
SELDOM_EVERY = 60
REFUSED = "?"
SELDOM: Mapping[str, tuple[str, ...]] = {
    "thresholds": ("ipvsadm", "-Ln", "--thresholds"),
    "timeouts": ("ipvsadm", "-Ln", "--timeout"),
    "daemons": ("ipvsadm", "-Ln", "--daemon"),
}
SUDO = ("sudo", "-n")
# The lister is told a name by each line of its standard input. The listing goes out by
# itself; its end is told by a line of standard error, the only other file that sudo
# leaves open: 0 or 1, and the lister's own line of proc(5), /proc/PID/stat.
_LISTER = """\
echo ready >&2; while read -r name; do case $name in {listings} esac </dev/null 2>&1 \
&& set 0 || set 1; read -r stat </proc/self/stat; echo $1 $stat >&2; done"""
# Listings of ipvsadm may take 1/SHARE of one processor. What was not used of SAVED periods
# may be used later. They may take more rather than come less often than every
# LONGEST_PAUSE periods, but never more than 1/WORST of the time by the clock on the wall.
SHARE = 200
SAVED = 30
WORST = 10
LONGEST_PAUSE = 15

# What programs print goes out by itself, all the rest in one write: each write wakes sshd
# and us. bash would write out every line, so lines of files are joined by 0x1F; echo takes
# a third of what printf does, and long texts are copied as seldom as can be.
# EPOCHREALTIME needs bash 5.0; /proc/self/stat is in hundredths of a second (proc(5)).
# Standard input ends when we go away, and then so does the loop.
# `beat` is what all times of frames are a multiple of.
# A table of nothing but its head has no counters: then ipvsadm is left alone.
# `due` and `left` keep an absolute schedule: a slow frame does not move the next ones.
# `total[2]` is the line of the totals, below it are rates that sink by themselves.
_BASH = r"""
addresses=($addresses); moves=($moves); IFS=$'\037'; shopt -u xpg_echo
mapfile -t boot <"$proc/sys/kernel/random/boot_id"
n=0; paid=0; cpu=0; stats_at=0; look_at=0; rest_until=0; moved=
due=${EPOCHREALTIME/[.,]/}; ((due -= due % beat))
exec {out}>&1
start() {
  coproc lister { exec "$@" 2>&1 1>&"$out"; }
  read -r -u "${lister[0]}" said && [[ $said == ready ]]
}
list() {
  echo "$1" >&"${lister[1]}"; IFS=' ' read -r -u "${lister[0]}" -a said ||
    { echo "what lists by ipvsadm has ended" >&2; exit 1; }
  ((cpu = (said[14] + said[15] + said[16] + said[17]) * 10000, status = said[0]))
}
@START@
exec {out}>&-
if ((${#moves[@]})); then
  exec {moved}< <(exec "${moves[@]}" </dev/null 2>/dev/null)
  trap "kill $! 2>/dev/null" EXIT
fi
while :; do
  frame=$'\035boot\037'$boot; rows=
  if [[ -r $proc/net/ip_vs ]]; then
    mapfile -t table <"$proc/net/ip_vs"
    mapfile -t total <"$proc/net/ip_vs_stats"
    rows=${table[*]}
    [[ ${total[2]} == "$asked_total" && $rows == "$asked_rows" ]] || rest_until=0
    if ((${#table[@]} <= @HEAD@)); then :
    elif ((n < rest_until)); then
      frame+=$'\035rest\037'$asked; ((n % every == 0)) || rows=
    elif ((due >= stats_at)); then
      ((before = cpu)); now=${EPOCHREALTIME/[.,]/}
      list stats; ((cost = ${EPOCHREALTIME/[.,]/} - now))
      ((paid = (paid > due - saved ? paid : due - saved) + (cpu - before) * share))
      ((paid = paid < due + longest ? paid : due + longest))
      ((stats_at = paid > due + cost * worst ? paid : due + cost * worst))
      ((pause = stats_at > due ? (stats_at - due + period - 1) / period * period : 0))
      asked=$n; asked_rows=$rows; asked_total=${total[2]}
      rest_until=$((status || !${#asked_total} ? 0 : n + rest))
      frame+=$'\035status\037'"$status $cost $pause $n"
    fi
    if ((n % seldom == 0)); then
      # What came before it in the frame goes first, in the same write.
      echo -n "$frame"; frame=
      : @SELDOM@
    fi
  fi
  while [[ $moved ]] && read -r -t 0 -u "$moved"; do
    read -r -u "$moved" || { exec {moved}<&-; moved=; }
    look_at=$n
  done
  if ((n >= look_at)); then
    echo -n "$frame"$'\035addresses\037'; "${addresses[@]}" </dev/null 2>&1; frame=
    look_at=$((n + (n && ${#moved} ? rest : every)))
  fi
  end=$'\036'"$n ${EPOCHREALTIME/,/.}"
  if [[ $rows ]]; then
    echo "$frame"$'\035table\037'"$rows"$'\037\035total\037'"${total[*]}"$'\037'"$end"
  else
    echo "$frame$end"
  fi
  now=${EPOCHREALTIME/[.,]/}
  ((n += 1, due += period, due = due > now ? due : now - now % beat + beat, left = due - now))
  printf -v left "%d.%06d" $((left / 1000000)) $((left % 1000000))
  read -r -t "$left"; (($? > 128)) || exit 0
done
""".replace("@HEAD@", str(HEAD_LINES))

# Where there is no such bash: any shell, with a few processes a frame.
_POSIX = r"""
n=0
while :; do
  if [ -r "$proc/net/ip_vs" ]; then
    $stats </dev/null 2>&1; printf '\035status\n%s 0 0 0' "$?"
    printf '\035table\n'; cat "$proc/net/ip_vs"
    printf '\035total\n'; cat "$proc/net/ip_vs_stats"
    if [ $((n % seldom)) -eq 0 ]; then
      : @SELDOM@
    fi
  fi
  printf '\035boot\n'; cat "$proc/sys/kernel/random/boot_id"
  if [ $((n % every)) -eq 0 ]; then
    printf '\035addresses\n'; $addresses </dev/null 2>&1
  fi
  printf '\036%s %s\n' "$n" "$(date +%s)" || exit 0
  n=$((n + 1))
  sleep "$seconds"
done
"""


def lister(
    stats: tuple[str, ...] = STATS,
    seldom: Mapping[str, tuple[str, ...]] = SELDOM,
    sudo: tuple[str, ...] = (),
) -> Command:
    """Return the program that lists *stats* and each of *seldom* by its name."""
    programs = {"stats": stats, **seldom}
    text = " ".join(
        f"{name}) {shlex.join((*sudo, *words))};;" for name, words in programs.items()
    )
    return Command(("sh", "-c", _LISTER.format(listings=text)), root=not sudo)


def watch_command(
    proc: str = "/proc",
    stats: tuple[str, ...] = STATS,
    addresses: tuple[str, ...] = ADDRESSES,
    period: float = PERIOD,
    *,
    seldom: Mapping[str, tuple[str, ...]] = SELDOM,
    moves: tuple[str, ...] = MOVES,
    bash: str = "bash",
    sudo: tuple[str, ...] = SUDO,
) -> Command:
    """Return the loop as a command; the script goes over standard input.

    *addresses* and *moves* are split at spaces on the host: no word of theirs may hold
    one. No *moves*: addresses are looked at every 10 s. *stats* and *seldom* run by
    *sudo*.
    """
    micro = int(period * 1_000_000)
    values = {
        "proc": proc,
        "addresses": " ".join(addresses),
        "moves": " ".join(moves),
        "period": str(micro),
        "seconds": f"{period:g}",
        "every": str(ADDRESSES_EVERY),
        "rest": str(REST_EVERY),
        "seldom": str(SELDOM_EVERY),
        "share": str(SHARE),
        "worst": str(WORST),
        "beat": str(micro // BEATS),
        "longest": str(micro * LONGEST_PAUSE),
        "saved": str(micro * SAVED),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    loop = _BASH.replace("@START@", _start(stats, seldom, sudo))
    loop = loop.replace(": @SELDOM@", "\n".join(map(_listed, seldom)) or ":")
    asks = "((BASH_VERSINFO[0] >= 5))"
    posix = _POSIX.replace("$stats", shlex.join((*sudo, *stats)))
    asked = (_asked(name, (*sudo, *words)) for name, words in seldom.items())
    script = [
        "LC_ALL=C; export LC_ALL",
        *lines,
        f"if {shlex.quote(bash)} --norc -c {shlex.quote(asks)} 2>/dev/null; then",
        f"exec {shlex.quote(bash)} --norc -c {shlex.quote(loop)} piranha-watch",
        "fi",
        posix.replace(": @SELDOM@", "\n".join(asked) or ":"),
    ]
    return Command(("sh", "-s"), stdin="\n".join(script).encode())


def _start(
    stats: tuple[str, ...],
    seldom: Mapping[str, tuple[str, ...]],
    sudo: tuple[str, ...],
) -> str:
    """Return what starts the lister, and how it is done where sudo refuses that."""
    each = shlex.join(lister(stats, seldom, sudo).argv)
    one = shlex.join(lister(stats, seldom).argv)
    if not sudo:
        return f"start {one}"
    # It is asked first: a command that is not allowed is an alarm in the host's log.
    allows = f"{shlex.join((*sudo, '-l'))} {one} >/dev/null 2>&1"
    return f"{allows} && start {shlex.join(sudo)} {one} || start {each}"


def _listed(section: str) -> str:
    """Return a line of the loop; a listing that fails has ``REFUSED`` as its end."""
    return f"echo -n $'\\035'{section}$'\\037'; list {section}; ((status)) && echo '{REFUSED}'"


def _asked(section: str, words: tuple[str, ...]) -> str:
    """Return the same for any shell."""
    asks = f"{shlex.join(words)} </dev/null 2>/dev/null || echo '{REFUSED}'"
    return f"printf '\\035{section}\\n'; {asks}"


WATCH = watch_command()


class SectionError(ValueError):
    """A frame that is not made of our sections."""


@dataclass(frozen=True, slots=True)
class Sections:
    """One frame as bytes, not yet parsed. None: this frame does not say.

    *table* is None when ip_vs is not loaded, mostly also when *at_rest* is not: that is
    the number of an earlier frame which still holds. *stats* is what ipvsadm printed,
    its complaint when *status* is not 0; *stats_seconds* is how long it took,
    *stats_pause* how long it is left alone for that, *stats_number* the number of the
    frame. *seldom* has what was asked of ``SELDOM``.
    """

    boot_id: str
    table: bytes | None = None
    total: bytes | None = None
    stats: bytes | None = None
    status: int | None = None
    stats_seconds: float = 0.0
    stats_pause: float = 0.0
    stats_number: int = 0
    at_rest: int | None = None
    addresses: bytes | None = None
    seldom: Mapping[str, bytes] = field(default_factory=dict)


def split_frame(body: bytes) -> Sections:
    """Split the body of a frame; raises SectionError."""
    stats, *parts = body.replace(LINE, b"\n").split(SECTION)
    found: dict[str, bytes] = {}
    for part in parts:
        name, newline, content = part.partition(b"\n")
        if not newline:
            raise SectionError(f"a section without a name: {part[:40]!r}")
        found[name.decode("ascii", "replace")] = content
    if "boot" not in found:
        raise SectionError("the section boot is missing")
    status, cost, pause, number = _numbers(found.get("status"), 4)
    (at_rest,) = _numbers(found.get("rest"), 1)
    if status is None and stats:
        raise SectionError(f"not a section: {stats[:40]!r}")
    return Sections(
        boot_id=found["boot"].decode("ascii", "replace").strip(),
        table=found.get("table"),
        total=found.get("total"),
        stats=None if status is None else stats,
        status=status,
        stats_seconds=(cost or 0) / 1_000_000,
        stats_pause=(pause or 0) / 1_000_000,
        stats_number=number or 0,
        at_rest=at_rest,
        addresses=found.get("addresses"),
        seldom={name: text for name, text in found.items() if name in SELDOM},
    )


def _numbers(text: bytes | None, count: int) -> tuple[int | None, ...]:
    if text is None:
        return (None,) * count
    try:
        numbers = tuple(int(word) for word in text.split())
    except ValueError as error:
        raise SectionError(f"not numbers: {text[:40]!r}") from error
    if len(numbers) != count:
        raise SectionError(f"not {count} numbers: {text[:40]!r}")
    return numbers
