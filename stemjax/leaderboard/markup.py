"""Text in HTML. Whatever is not marked as HTML is text, and is escaped: a record may say anything."""

from collections.abc import Mapping
from html import escape


class Html(str):
    """HTML on purpose; an f-string of it is text again. Made of parts that may be text by `markup`."""

    __slots__ = ()


def safe(value: object) -> Html:
    """HTML as it is, and anything else as text."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def markup(template: str, *values: object) -> Html:
    """HTML with values in its places ``{}``, each of them text unless it is marked as HTML.

    Example
    -------
    >>> markup("<b>{}</b>, {}", "a < b", markup("<i>{}</i>", 1))
    '<b>a &lt; b</b>, <i>1</i>'
    """
    return Html(template.format(*map(safe, values)))


def facts_list(facts: Mapping[str, object], line: str = "<dt>{}</dt><dd>{}</dd>") -> Html:
    """The lines of a list of facts, each a name and its text or HTML."""
    return Html("".join(markup(line, name, value) for name, value in facts.items()))
