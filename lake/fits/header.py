"""Headers as they come: with cards that no rule of FITS allows."""

from __future__ import annotations

import re

from astropy.io import fits


def clean_header(header: fits.Header) -> tuple[fits.Header, list[str]]:
    """A copy whose every card can be read, and the names of the cards that could not be.

    A card with a value that FITS does not know (AIA headers write a bare `nan`) stays, with its value
    undefined; a card that has not even a keyword is left out.
    """
    odd = []
    copy = header.copy()
    for position in range(len(copy.cards) - 1, -1, -1):
        card = copy.cards[position]
        try:
            _ = card.value, card.comment
        except (fits.VerifyError, ValueError):
            named = re.fullmatch(r"[!-~][ -~]*", str(card.keyword))
            odd.append(str(card.keyword) if named else f"card {position + 1}")
            del copy[position]
            if re.fullmatch(r"[A-Z0-9_-]{1,8}", str(card.keyword)):
                copy.insert(position, fits.Card(card.keyword, None, _comment(card)))
    return copy, odd[::-1]


def _comment(card: fits.Card) -> str:
    """Comment of a card whose value cannot be read, "" where it cannot be read either."""
    try:
        comment = str(card).partition("/")[2].strip()
    except ValueError:  # a tab or another control character in the value
        return ""
    return comment if comment.isprintable() else ""
