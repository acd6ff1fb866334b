"""An HTML page taken apart, for tests of pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "img", "br"}


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
    assert all(
        link.startswith(("data:image/png;base64,", "data:audio/wav;base64,", "#")) for link in parser.links
    )
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(parser.tags)
    without_pictures = re.sub(r"data:[^\"]*", "", html)
    assert "http" not in without_pictures
    assert "@import" not in without_pictures
    assert all(name.startswith("#") for name in re.findall(r"url\(([^)]*)\)", without_pictures))
    return parser
