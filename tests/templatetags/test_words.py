from django.template import engines
from django.utils import translation

from cluster.lvs.words import say

PAGE = "{% load words %}{{ sentence|said }}"


def rendered(sentence: object) -> str:
    template = engines["django"].from_string(PAGE)
    return template.render({"sentence": sentence})


def test_a_sentence_is_said():
    assert rendered(say("Bind {vip} to lo", vip="10.0.1.31")) == "Bind 10.0.1.31 to lo"


def test_stored_json_is_said():
    inner = say("{at}, {n} s", at="TCP", n=3)
    stored = say("Add {service}", service=inner).as_json()
    assert rendered(stored) == "Add TCP, 3 s"


def test_nothing_is_said_of_nothing():
    assert rendered(None) == ""


def test_what_hosts_say_is_escaped():
    assert rendered(say("It said {text}", text="<b>")) == "It said &lt;b&gt;"


def test_it_speaks_the_language_of_the_reader():
    with translation.override("de"):
        assert rendered(say("Yes")) == "Ja"  # a word that Django itself translates
