"""The steps that take steps back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.db.models import Max

from cluster.lvs.arming import is_arming
from cluster.lvs.change import Change, Mark
from cluster.lvs.lan import announcement_after
from cluster.lvs.words import say as _
from cluster.models import Run, Step


def write_undo(run: Run, steps: Iterable[Step]) -> None:
    """Write down how each of these is undone, in their order; once for each."""
    written = set(run.steps.exclude(undoes=None).values_list("undoes", flat=True))
    last = run.steps.aggregate(last=Max("position"))["last"] or 0
    values = [(step, step.value) for step in steps if step.pk not in written]
    back = [(step, undo) for step, change in values for undo in undo_of(change)]
    Step.objects.bulk_create(
        Step(
            run=run,
            position=last + n,
            host=step.host,
            undoes=step,
            change=undo.as_json(),
        )
        for n, (step, undo) in enumerate(back, start=1)
    )


def undo_of(change: Change) -> list[Change]:
    """Return what takes this change back: nothing, if there is nothing to."""
    if change.undo is None:
        return []
    said = tuple(_("Undo: {what}", what=s) for s in change.sentences)
    if is_arming(change):
        said = (_("Take the timer of {host} away", host=change.host),)
    back = replace(
        change,
        mark=Mark.DELETE,
        sentences=said,
        command=change.undo,
        undo=change.command,
        undo_note=None,
        refusal=None,
    )
    after = announcement_after(change.undo, change.host)
    return [back, after] if after else [back]
