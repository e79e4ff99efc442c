"""Options of a search, with what they mean."""

from __future__ import annotations

from typing import Annotated

import typer

Wavelength = Annotated[
    str | None, typer.Option("--wavelength", metavar="NM[:NM]", help="Has it, or some from A to B.")
]
Near = Annotated[
    str | None,
    typer.Option("--near", metavar="X,Y[,RADIUS]", help="A field that comes so near to a place."),
]
Mu = Annotated[str | None, typer.Option("--mu", metavar="A:B", help="Cosine of the heliocentric angle.")]
Exposure = Annotated[str | None, typer.Option("--exposure", metavar="A:B", help="In seconds.")]
Target = Annotated[str | None, typer.Option("--target", help="What was looked at.")]
Campaign = Annotated[str | None, typer.Option("--campaign", help="For which it was.")]
Kind = Annotated[str | None, typer.Option("--kind", help="In which mode it was observed.")]
Polarimetric = Annotated[
    bool | None, typer.Option("--polarimetric/--no-polarimetric", help="Has Stokes parameters.")
]
Spectroscopic = Annotated[
    bool | None, typer.Option("--spectroscopic/--no-spectroscopic", help="Has spectra.")
]
Embargoed = Annotated[bool | None, typer.Option("--embargoed/--no-embargoed", help="Is under embargo now.")]
AsFacets = Annotated[
    bool, typer.Option("--facets", help="Not the releases, but how many there are of each kind.")
]
Words = Annotated[
    str | None,
    typer.Option(
        "--words",
        metavar="WORDS",
        help="Only what has these words in names or values; calib* for any ending.",
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=1, max=2**31, help="At most so many at once."),
]
After = Annotated[
    str,
    typer.Option("--after", metavar="PLACE", help="Go on where a listing ended, as it said."),
]
Available = Annotated[bool, typer.Option("--available", help="Only those whose files you may have now.")]
