"""The description of each page, for search engines: its first paragraph, if it names no other."""

import html
import textwrap

from docutils import nodes

LENGTH = 160  # what a search engine shows


def first_paragraph(doctree):
    """Return the text of the first paragraph of a page's running text."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            return " ".join(paragraph.astext().split())
    return ""


def add(app, pagename, templatename, context, doctree):
    """Add the description to the head of a page."""
    known = context.get("metatags", "")
    if doctree is not None and 'name="description"' not in known:
        text = first_paragraph(doctree) or f"{context.get('title', '')}: tinynet's documentation."
        text = textwrap.shorten(text, LENGTH, placeholder=" …")
        context["metatags"] = f'{known}<meta name="description" content="{html.escape(text)}" />\n'


def setup(app):
    """Add a description when a page is written."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True}
