import re
from pathlib import Path

from django.template import Context, Template
from django.templatetags.static import static

ROOT = Path(__file__).resolve().parents[2]


def render(source, **context):
    return Template("{% load ui %}" + source).render(Context(context))


def test_an_icon_is_decoration_and_comes_from_the_sprite():
    html = render('{% icon "plus" "spin" %}')
    assert html == (
        '<svg class="icon spin" aria-hidden="true">'
        f'<use href="{static("icons.svg")}#plus"></use></svg>'
    )


def test_a_state_is_shape_word_and_colour():
    html = render('{% state "UP" count="3/4" %}')
    assert "tone-up" in html
    assert "#circle-check" in html
    assert html.endswith("UP 3/4</span>")


def test_a_state_escapes_what_it_does_not_know():
    html = render("{% state value %}", value="<b>x</b>")
    assert "<b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html


def test_the_filters_are_there():
    html = render(
        "{{ n|count }} {{ n|rate }} {{ n|bytes_rate }} {{ n|byte_count }} "
        "{{ n|duration }} {{ n|since }}",
        n=1284,
    )
    assert html == "1,284 1,284/s 1.3 kB/s 1.3 kB 21 min 24 s 21 min 24 s ago"


def test_a_sparkline_fills_its_box():
    html = render("{% sparkline values 90 20 %}", values=[0, 5, 10])
    assert 'points="0.0,18.0 45.0,10.0 90.0,2.0"' in html
    assert 'viewBox="0 0 90 20"' in html


def test_a_sparkline_of_one_value_draws_nothing():
    assert "polyline" not in render("{% sparkline values %}", values=[3])


def test_a_weight_bar_is_a_share_of_the_largest():
    html = render("{% weight 50 largest=100 %}")
    assert 'width="50"' in html
    assert html.strip().endswith("50")


def test_templates_name_only_icons_that_exist():
    sprite = (ROOT / "static/icons.svg").read_text()
    icons = set(re.findall(r'symbol id="([^"]+)"', sprite))
    named = {
        (path.name, name)
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'\{% icon "([^"]+)"', path.read_text())
    }
    assert named
    assert {(path, name) for path, name in named if name not in icons} == set()
