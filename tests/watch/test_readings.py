"""Readings are written all at once or not at all, in the columns that the model has."""

import pytest
from django.db import IntegrityError

from cluster.models import Host, Reading
from cluster.watch import readings
from tests.hosts import make_host


@pytest.fixture
def lb01(transactional_db):
    return make_host("lb01", role=Host.Role.DIRECTOR)


def test_what_is_written_is_what_the_model_reads(lb01):
    rows = [(lb01.pk, 1.5 + n, bytes([n, 0, 255])) for n in range(3)]
    readings.write(rows)
    found = Reading.objects.values_list("director", "at", "data")
    assert [(pk, at, bytes(data)) for pk, at, data in found] == rows


def test_nothing_is_written_when_a_director_is_not_there(lb01):
    with pytest.raises(IntegrityError):
        readings.write([(lb01.pk, 1.5, b"a"), (lb01.pk + 1, 1.5, b"b")])
    assert not Reading.objects.exists()


def test_no_rows_are_no_transaction(lb01, django_assert_num_queries):
    with django_assert_num_queries(0):
        readings.write([])
