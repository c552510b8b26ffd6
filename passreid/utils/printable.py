"""Names from strangers, fit to be shown."""


def printable(text: str) -> str:
    r"""Return a text in which nothing acts on a terminal or breaks a line of a log.

    Control characters, direction marks and bytes that are no UTF-8 become escapes, as Python
    writes them.

    Args:
        text (str): Such as the name of a file.

    Examples:
        >>> printable('Zürich 1.jpg'), printable('a\x1b[2J\n.jpg')
        ('Zürich 1.jpg', 'a\\x1b[2J\\n.jpg')
    """
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)
