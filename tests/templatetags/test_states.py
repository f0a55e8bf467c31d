import re
from enum import StrEnum
from pathlib import Path

import pytest

from cluster.states import DIRECTORS, OBJECTS, RUNS, STATES, STEPS, state_of

ROOT = Path(__file__).resolve().parents[2]
ICONS = set(re.findall(r'symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))
STYLES = (ROOT / "static/css/parts.css").read_text()


@pytest.mark.parametrize("name", STATES)
def test_every_state_has_its_icon_and_its_colour(name):
    assert STATES[name].icon in ICONS
    assert f".tone-{STATES[name].tone} {{" in STYLES


@pytest.mark.parametrize("group", [OBJECTS, DIRECTORS, RUNS, STEPS])
def test_within_a_group_every_shape_is_different(group):
    assert len({state.icon for state in group.values()}) == len(group)


def test_red_is_only_for_what_is_broken():
    red = {name for name, state in STATES.items() if state.tone == "bad"}
    hosts = {"UNREACHABLE", "KEY_CHANGED", "LOGIN_REFUSED"}
    assert red == {"DOWN", "FAILED", "failed"} | hosts


def test_the_exact_spelling_wins():
    assert state_of("failed") is STEPS["failed"]
    assert state_of("FAILED") is RUNS["FAILED"]


def test_case_does_not_matter_otherwise():
    assert state_of("running") is RUNS["RUNNING"]


def test_an_enum_member_is_its_value():
    class Health(StrEnum):
        DOWN = "down"

    assert state_of(Health.DOWN) is OBJECTS["DOWN"]


def test_a_word_outside_the_table_is_shown_as_it_is():
    assert state_of("melting").word == "melting"
