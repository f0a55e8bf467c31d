"""Pages that keep the draft: what somebody changes is on the next one."""

import pytest
from django.urls import reverse

from cluster import kept
from cluster.views.live_page import wanted

pytestmark = pytest.mark.django_db
BULK = reverse("cluster:service_bulk", args=["lab"])


def test_what_was_changed_is_on_the_next_page(lab, operator):
    row = lab.add_service()
    lab.keep_revision()
    page = reverse("cluster:history", args=["lab"])
    assert "not applied" not in operator.get(page).content.decode()
    assert wanted(lab.cluster).rows[0].row.enabled
    operator.post(BULK, {"only": f"off:{row.pk}"})
    assert "not applied" in operator.get(page).content.decode()
    assert len(kept.draft_edits(lab.cluster)) == 1
    assert not wanted(lab.cluster).rows[0].row.enabled
    operator.post(reverse("cluster:discard", args=["lab"]))
    assert "not applied" not in operator.get(page).content.decode()
    assert wanted(lab.cluster).rows[0].row.enabled
