"""An HTML page taken apart, for tests of pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "input"}


class PageParser(HTMLParser):
    """The elements, texts, attribute values, links and definition lists of a page.

    Refuses elements that are not closed in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str] = []
        self.pages: list[str] = []
        self.definitions: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [value or "" for _, value in attrs]
        self.links += [
            value or "" for name, value in attrs if name.split(":")[-1] in ("src", "href", "srcset")
        ]
        self.pages += [value or "" for name, value in attrs if name == "srcdoc"]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())
            if self._open[-1] == "dd":
                self.definitions.append((self.texts[-2], self.texts[-1]))


def require_self_contained(html: str) -> PageParser:
    """Nothing on the page is loaded from elsewhere, and it is well formed."""
    parser = PageParser(html)
    allowed = ("data:image/png;base64,", "data:audio/wav;base64,", "#")
    assert all(link.startswith(allowed) for link in parser.links)
    assert not {"script", "link", "object", "embed", "base"} & set(parser.tags)
    assert parser.tags.count("iframe") == len(parser.pages)
    for inner in parser.pages:
        require_own_script(inner)
    _require_no_addresses(html)
    assert all(name.startswith("#") for name in re.findall(r"url\(([^)]*)\)", html))
    return parser


def require_own_script(html: str) -> PageParser:
    """A page that is a function: well formed, its script in it, nothing loaded from elsewhere."""
    parser = PageParser(html)
    assert all(link.startswith("data:image/webp;base64,") for link in parser.links)
    assert not {"link", "iframe", "object", "embed", "base"} & set(parser.tags)
    _require_no_addresses(html)
    return parser


def _require_no_addresses(html: str) -> None:
    assert not re.search(r"https?:|@import|//[a-z]+\.", html)
