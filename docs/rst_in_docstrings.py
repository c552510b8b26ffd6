"""Extension of griffe: links and roles that docstrings write as reStructuredText, in Markdown."""

import re

import griffe


class MarkdownDocstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        """Turn ``:class:`Name``` into code and ```title <address>`_`` into a link."""
        if obj.docstring is None:
            return
        text = re.sub(r':(?:class|func|meth|mod|attr|exc):`', '`', obj.docstring.value)
        obj.docstring.value = re.sub(
            r'`([^`<]+?)\s+<(https?://[^>]+)>`__?', lambda m: f'[{_line(m[1])}]({m[2]})', text
        )


def _line(text: str) -> str:
    return ' '.join(text.split())
