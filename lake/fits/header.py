"""Headers as they come: with cards that no rule of FITS allows."""

from __future__ import annotations

import re
from typing import Final

from astropy.io import fits

#: Cards as nearly all are: taking them apart to see that they can be would take most of an ingest's time.
_PLAIN: Final = re.compile(
    r"(?:(?=[A-Z0-9_-]+ *=)[A-Z0-9_ -]{8}= *"
    r"(?:[+-]?[0-9]+(?:\.[0-9]*)?(?:[ED][+-]?[0-9]+)?|[TF]|'(?:[!-&(-~]|''| )*')"
    r" *(?:/[ -~]*)?"
    r"|(?:COMMENT|HISTORY|        )(?: [ -~]*)?)"
)


def clean_header(header: fits.Header) -> tuple[fits.Header, list[str]]:
    """A copy whose every card can be read, and the names of the cards that could not be; see `clean`."""
    copy = header.copy()
    return copy, clean(copy)


def clean(header: fits.Header) -> list[str]:
    """Make every card of a header such that it can be read; the names of the cards that could not be.

    A card with a value that FITS does not know (AIA headers write a bare `nan`) stays, with its value
    undefined; a card that has not even a keyword is left out.
    """
    odd = []
    doubtful = [position for position, card in enumerate(header.cards) if not _is_plain(card)]
    for position in reversed(doubtful):
        card = header.cards[position]
        try:
            _ = card.value, card.comment
        except (fits.VerifyError, ValueError):
            named = re.fullmatch(r"[!-~][ -~]*", str(card.keyword))
            odd.append(str(card.keyword) if named else f"card {position + 1}")
            del header[position]
            if re.fullmatch(r"[A-Z0-9_-]{1,8}", str(card.keyword)):
                header.insert(position, fits.Card(card.keyword, None, _comment(card)))
    return odd[::-1]


def _is_plain(card: fits.Card) -> bool:
    """Whether the text of a card shows that it can be read, without taking it apart."""
    text = getattr(card, "_image", None)  # `image` would take it apart
    return isinstance(text, str) and len(text) == fits.Card.length and _PLAIN.fullmatch(text) is not None


def _comment(card: fits.Card) -> str:
    """Comment of a card whose value cannot be read, "" where it cannot be read either."""
    try:
        comment = str(card).partition("/")[2].strip()
    except ValueError:  # a tab or another control character in the value
        return ""
    return comment if comment.isprintable() else ""
