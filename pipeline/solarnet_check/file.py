"""All HDUs of one file, for rules that look at more than one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pipeline.solarnet_check.header import Hdu

#: Planes beside an image, by the names that our products and others' give them.
_BESIDE: Final = re.compile(
    r"QUALITY|UNCERT.*|MASK.*|ERR.*|VAR(IANCE)?|FLAGS?|.*PIXLIST.*|WCSDVARR", re.IGNORECASE
)


@dataclass(frozen=True)
class FitsFile:
    """A file's HDUs.

    Attributes
    ----------
    hdus
        In order.
    name
        What the file is called, without folders; empty where it is not known.
    complete
        Whether these are all its HDUs: only then it is known what a file lacks.
    """

    hdus: tuple[Hdu, ...]
    name: str = ""
    complete: bool = True

    @cached_property
    def observing(self) -> frozenset[int]:
        """The HDUs that hold observations: by their own word, else the first image that can be meant."""
        said = frozenset(hdu.index for hdu in self.hdus if hdu.observes)
        if said:
            return said
        images = (hdu.index for hdu in self.hdus if hdu.shape and not _BESIDE.fullmatch(hdu.name))
        first = next(images, None)
        return frozenset() if first is None else frozenset((first,))

    @cached_property
    def by_name(self) -> Mapping[str, Hdu]:
        """HDUs by their names, the first where several have the same."""
        found: dict[str, Hdu] = {}
        for hdu in self.hdus:
            found.setdefault(hdu.name, hdu)
        return found

    def columns(self, name: str) -> frozenset[str]:
        """Names of the columns of a table."""
        hdu = self.by_name.get(name)
        if hdu is None:
            return frozenset()
        return frozenset(hdu.text(one) for one in hdu.values if re.fullmatch(r"TTYPE\d+", one))
