"""All rules over one file, and what they make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from astropy.io import fits

from pipeline.solarnet_check import axes, contents, keywords, mechanisms, provenance, statistics, times
from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding, Grade
from pipeline.solarnet_check.header import Hdu


class Verdict(StrEnum):
    """What a file is, all in all."""

    CONFORMANT = "conformant"
    PARTLY = "partly conformant"
    FOREIGN = "not a SOLARNET file"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Report:
    """What was found in one file.

    Attributes
    ----------
    file
        Its name as it was given.
    verdict
        What it is.
    findings
        The gravest first; of the same grade in the order of HDUs.
    """

    file: str
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a rule is broken."""
        return any(finding.grade is Grade.ERROR for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """How many findings there are of each grade."""
        found = Counter(finding.grade for finding in self.findings)
        return {f"{grade.value}s": found[grade] for grade in Grade}

    def document(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        findings = [finding.document() for finding in self.findings]
        return {"file": self.file, "verdict": self.verdict.value, **self.counts(), "findings": findings}


def check_headers(file: FitsFile) -> list[Finding]:
    """What the headers of a file say that they should not; its pixels are not asked."""
    return [*keywords.check_file(file), *(finding for hdu in file.hdus for finding in _check_hdu(hdu, file))]


def check_header(header: fits.Header, shape: tuple[int, ...]) -> list[Finding]:
    """The same for the header of one observation on its way to a file, whose sums are not written yet.

    Parameters
    ----------
    header
        Finished, but for what is written with the bytes.
    shape
        Of its data, slowest axis first.
    """
    return check_headers(FitsFile((Hdu.of(header, shape=shape),), complete=False))


def report(file: FitsFile, path: str, findings: Iterable[Finding]) -> Report:
    """The report on a file."""
    order = list(Grade)
    found = sorted(
        dict.fromkeys(findings), key=lambda one: (order.index(one.grade), -1 if one.hdu is None else one.hdu)
    )
    return Report(path, _verdict(file, found), tuple(found))


def unreadable(path: str, reason: str, found: str, advice: str) -> Report:
    """The report on a file that cannot be read."""
    finding = Finding(
        Grade.ERROR, None, "", f"{reason} ({found})" if found else reason, "a FITS file", advice, "FITS 3"
    )
    return Report(path, Verdict.UNREADABLE, (finding,))


def _verdict(file: FitsFile, findings: list[Finding]) -> Verdict:
    claims = [file.hdus[index].claim for index in sorted(file.observing) if index < len(file.hdus)]
    if not any(claims):
        return Verdict.FOREIGN
    broken = any(finding.grade is Grade.ERROR for finding in findings)
    return Verdict.CONFORMANT if all(claim == 1 for claim in claims) and not broken else Verdict.PARTLY


def _check_hdu(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    yield from keywords.check_hdu(hdu, file)
    yield from axes.check(hdu, file)
    yield from provenance.check(hdu, file)
    yield from mechanisms.check(hdu, file)
    if hdu.index in file.observing:
        yield from times.check(hdu)
        yield from contents.check(hdu)
        yield from statistics.check(hdu)
