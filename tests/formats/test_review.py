"""The pages of a review show all of it, and nothing that is in it can steer its reader."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats import look_at_review
from tests.formats.reviews import FULL, HARM, OFFLINE
from tests.formats.test_formats import Page
from tests.golden_files import Golden
from topchef_schema.formats import review_html, review_markdown
from topchef_schema.formats.sql_colours import LARGE, coloured
from topchef_schema.model import visible

REVIEWS = {"full": FULL, "offline": OFFLINE, "harm": HARM}


@pytest.mark.parametrize("name", REVIEWS)
def test_pages(name: str, golden: Golden) -> None:
    golden(f"formats/review-{name}.html", review_html.render(REVIEWS[name]))
    golden(f"formats/review-{name}.md", review_markdown.render(REVIEWS[name]))


def test_nothing_in_a_review_becomes_html() -> None:
    page = Page(review_html.render(HARM))
    names = {name for name, _ in page.elements}
    assert names <= {*look_at_review.OURS.split()}
    assert not names & {"b", "script", "img", "iframe", "form"}
    links = [given["href"] for name, given in page.elements if name == "a"]
    assert links
    assert all(re.fullmatch("#[a-z]+[0-9]*", link or "") for link in links)
    assert all(not key.startswith("on") for _, given in page.elements for key in given)
    assert page.text.count("<b>&'\"]]>") > 15


def test_every_link_leads_somewhere() -> None:
    page = Page(review_html.render(FULL))
    targets = Counter(given["id"] for _, given in page.elements if "id" in given)
    links = [given["href"] for name, given in page.elements if name == "a"]
    assert {f"#{each}" for each in targets} == set(links)
    assert set(targets.values()) == {1}


@pytest.mark.parametrize("render", [review_html.render, review_markdown.render])
def test_nothing_steers_a_terminal(render: object) -> None:
    assert callable(render)
    text = render(HARM)
    unsafe = {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs")}
    assert unsafe <= {"\n", "\t"}


def test_nothing_in_a_review_becomes_markdown() -> None:
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("gfm-like", {"linkify": False})
    tokens = parser.parse(review_markdown.render(HARM))
    found = Counter(token.type for token in tokens)
    assert found["heading_open"] == 9
    assert found["fence"] == 2
    assert found["html_block"] == 0
    assert (found["table_open"], found["tr_open"], found["td_open"]) == (1, 3, 6)
    inline = [child for token in tokens for child in token.children or ()]
    assert {each.content for each in inline if each.type == "html_inline"} <= {"<!-- -->"}
    assert not {"link_open", "image"} & {each.type for each in inline}


PLAIN = "SELECT 'it''s', 12 -- a <comment>\nFROM \"t\" /* & */;"


def test_colours_do_not_change_the_text() -> None:
    shown = coloured(PLAIN)
    assert Page(shown).text == PLAIN
    assert '<span class="k">SELECT</span>' in shown
    assert "&lt;comment&gt;" in shown
    assert "<span" not in coloured("SELECT 1; " * (LARGE // 9))


def test_without_pygments_the_page_has_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = review_html.render(FULL)
    monkeypatch.setitem(sys.modules, "pygments.lexers.sql", None)
    without = review_html.render(FULL)
    assert '<span class="k">' in with_it
    assert '<span class="k">' not in without
    assert Page(without).text == Page(with_it).text


@given(st.text())
def test_any_sql_stays_the_same_text(sql: str) -> None:
    assert Page(coloured(sql)).text == visible(sql)


def test_whole_schema_is_there_and_what_differs_is_marked() -> None:
    page = review_html.render(FULL)
    assert FULL.schema is not None
    for each in FULL.schema:
        assert each in Page(page).text
    assert "<mark>column public.books.title\n    varchar(100)</mark>\ntable public.books" in page
