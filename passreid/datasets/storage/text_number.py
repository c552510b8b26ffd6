"""Numbers for ids and cameras that may be any text."""

import hashlib
import os
import re

# Large enough for a number of any camera network; what is longer is taken for text.
_DECIMAL = re.compile('-1|[0-9]{1,15}')
# Exact in a double too.
_HASH_BITS = 52


def text_number(text: str) -> int:
    """Turn the text of an id or a camera into a number, always into the same one.

    A decimal number stands for itself. Any other text is hashed, so that data sets that are
    loaded apart, such as query and gallery, agree without knowing each other.

    Args:
        text (str): The text.

    Returns:
        int: From 0 to 2^52 - 1, or -1 for '-1'.

    Examples:
        >>> text_number('0042'), text_number('-1')
        (42, -1)
        >>> text_number('anna') == text_number('anna') != text_number('bert')
        True
    """
    if _DECIMAL.fullmatch(text):
        return int(text)
    digest = hashlib.sha256(os.fsencode(text)).digest()
    return int.from_bytes(digest[:8], 'big') >> (64 - _HASH_BITS)
