"""`search`, `show`, `get`: find releases, look at one, fetch its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.asked import (
    After,
    AsFacets,
    Available,
    Campaign,
    Embargoed,
    Exposure,
    Kind,
    Limit,
    Mu,
    Near,
    Polarimetric,
    Spectroscopic,
    Target,
    Wavelength,
    Words,
)
from heliolake.cli.common import FIND, Json, ObservationPattern, Since, Until, open_lake, principal_of
from heliolake.cli.complete import instrument_names, product_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import coloured, err, out, print_json, print_path, progress_bar, shown, table
from heliolake.cli.reports import release_table, short_time
from heliolake.shows import place, spans

if TYPE_CHECKING:
    from lake.entries import FileEntry
    from lake.releases.search import Fetched

ProductName = Annotated[
    str,
    typer.Argument(
        metavar="PRODUCT[@vNNNN]",
        autocompletion=product_names,
        help="A product as search lists it; without a version the active one. Or SCOPE:FILE, as provenance "
        "names files and references.",
    ),
]

_AT_ONCE = 1000
"""Releases in a listing for which nothing else was asked."""

OfInstrument = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        autocompletion=instrument_names,
        help="Only of this instrument.",
    ),
]
OfLevel = Annotated[
    str | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Only of this level: 0, 1, 1.5 …",
    ),
]
WithStatus = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="ACTIVE, SUPERSEDED or WITHDRAWN.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=FIND)(search)
    app.command(rich_help_panel=FIND)(show)
    app.command(rich_help_panel=FIND)(get)


def search(
    ctx: typer.Context,
    instrument: OfInstrument = None,
    level: OfLevel = None,
    since: Since = None,
    until: Until = None,
    status: WithStatus = None,
    observation: ObservationPattern = None,
    words: Words = None,
    limit: Limit = _AT_ONCE,
    after: After = "",
    available: Available = False,
    wavelength: Wavelength = None,
    near: Near = None,
    mu: Mu = None,
    exposure: Exposure = None,
    target: Target = None,
    campaign: Campaign = None,
    kind: Kind = None,
    polarimetric: Polarimetric = None,
    spectroscopic: Spectroscopic = None,
    embargoed: Embargoed = None,
    facets: AsFacets = False,
    as_json: Json = False,
) -> None:
    """Find releases.

    Of a range (A:B) either end may be left out. Wavelengths are in nanometres, places in arcseconds from the
    centre of the disk.

    [bold]Examples[/]

      heliolake search
      heliolake search --instrument stereo_hi --level 1 --status ACTIVE
      heliolake search --since 2011-09-10 --until 2011-09-11 --json
      heliolake search --words "HI2 science"
      heliolake search --wavelength 630:631 --polarimetric --near 200,-150,100
    """
    from heliolake.hints import why_nothing
    from lake.releases.facets import facets as count_facets
    from lake.releases.facts import Shows
    from lake.releases.finding import Wanted
    from lake.releases.search import listing

    shows = Shows(
        **spans(wavelength=wavelength, mu=mu, exposure=exposure),
        **place(near),
        target=target,
        campaign=campaign,
        kind=kind,
        polarimetric=polarimetric,
        spectroscopic=spectroscopic,
        embargoed=embargoed,
    )
    wanted = Wanted(
        instrument, level, since, until, status,
        pattern=observation, words=words, available=available, shows=shows,
    )  # fmt: skip
    with open_lake(ctx) as lake:
        if facets:
            _tell_facets(count_facets(lake, wanted, principal_of(ctx, lake)), as_json=as_json)
            return
        page = listing(lake, wanted, principal=principal_of(ctx, lake), limit=limit, after=after)
        found = page["releases"]
        hint = "" if found else why_nothing(lake, instrument=instrument, level=level, observation=observation)
    if hint:
        err().print(shown(hint), soft_wrap=True)
    if as_json:
        print_json(page)
    elif found:
        out().print(release_table(found))
        if page["more"]:
            err().print(
                f"There are more: say more of what you want, or --after {page['more']}", soft_wrap=True
            )
    elif not hint:
        out().print("Nothing matches. [bold]heliolake search[/] without options lists all releases.")


def show(
    ctx: typer.Context,
    product: ProductName,
    changes: Annotated[
        bool, typer.Option("--changes", help="What is different against the version before.")
    ] = False,
    against: Annotated[
        int | None, typer.Option("--against", metavar="N", min=1, help="Against this version instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one release: its files, what it was made from and with, its other versions; or one file.

    [bold]Examples[/]

      heliolake show stereo_hi:hi2a_s7_20110910.l1
      heliolake show stereo_hi:hi2a_s7_20110910.l1@v0001 --json
      heliolake show stereo_hi:hi2a_s7_20110910.l1@v0003 --changes --against 1
      heliolake show references:psf_sdi_20230415.v0001.fits
    """
    from lake.releases.changes import changes as compare
    from lake.releases.documents import file as about_file
    from lake.releases.holding import holder, is_file
    from lake.releases.search import show as look

    with open_lake(ctx) as lake:
        principal = principal_of(ctx, lake)
        if is_file(product):
            held = holder(lake, product, principal)
            _tell_file(about_file(lake, held.name, held.file.name, principal), as_json=as_json)
            return
        if changes or against:
            _tell_changes(compare(lake, product, against), as_json=as_json)
            return
        document = look(lake, product, principal)
    if as_json:
        print_json(document)
    else:
        _print_release(document)


def get(
    ctx: typer.Context,
    product: ProductName,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", file_okay=False, help="Folder to write to; made if need be."
        ),
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Write the files of a release, or one file, to a folder, each verified with its checksum on the way.

    A file whose stored copy is lost or damaged is named and left out; the command then ends with 1.

    [bold]Examples[/]

      heliolake get stereo_hi:hi2a_s7_20110910.l1 -o out
      heliolake get stereo_hi:hi2a_s7_20110910.l1@v0001 -o out_v1
      heliolake get references:psf_sdi_20230415.v0001.fits -o out
    """
    from lake.releases.holding import is_file
    from lake.releases.search import fetch, resolve

    if is_file(product):
        _get_file(ctx, product, output, as_json=as_json)
        return
    done = 0
    with open_lake(ctx) as lake, progress_bar("fetching") as bar:
        release, key = resolve(lake, product)

        def count(file: FileEntry) -> None:
            nonlocal done
            done += 1
            bar(done, release.files, file.name)

        fetched = fetch(lake, product, output, principal_of(ctx, lake), count)
    if as_json:
        print_json(
            {
                "product": key.name,
                "version": release.version,
                "files": [str(path.resolve()) for path in fetched.written],
                "problems": [{"reason": one.reason, **one.details()} for one in fetched.problems],
            }
        )
    else:
        for path in fetched.written:
            print_path(path)
        err().print(f"{key.name} v{release.version:04d}: {len(fetched.written)} files", soft_wrap=True)
        _print_problems(fetched)
    if fetched.problems:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _get_file(ctx: typer.Context, did: str, output: Path, *, as_json: bool) -> None:
    from lake.releases.holding import get_file, holder

    with open_lake(ctx) as lake:
        principal = principal_of(ctx, lake)
        path = get_file(lake, did, output, principal)
        release = holder(lake, did, principal).name
    if as_json:
        print_json({"file": did, "release": release, "files": [str(path.resolve())], "problems": []})
    else:
        print_path(path)


def _tell_file(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    file, release, provenance = document["file"], document["release"], document["provenance"]
    used = {
        role: ", ".join(
            edge["from"] for edge in provenance["edges"] if (edge["to"], edge["role"]) == (file["did"], role)
        )
        for role in ("input", "reference")
    }
    facts = [
        ("part of", f"{release['product']} v{release['version']:04d}, {release['status']}"),
        ("data", short_time(file["date_beg"]) if file["date_beg"] else ""),
        ("size", _size(file["size"])),
        ("sha256", file.get("sha256", "")),
        *_calibrates(document["reference"]),
        ("made from", used["input"] or ", ".join((document["reference"] or {}).get("parents", ()))),
        ("references", used["reference"]),
        ("under embargo", _embargo(release)),
        *(("note", caveat) for caveat in file["caveats"]),
    ]
    out().print(f"[bold]{shown(file['did'])}[/]", soft_wrap=True)
    out().print(table("", ("", ""), [(name, shown(value)) for name, value in facts if value], fold=("",)))


def _calibrates(reference: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if reference is None:
        return []
    values = (f"{key}={value}" for key, value in reference["selectors"].items())
    begin, end = (
        short_time(reference[key]) if reference[key] else "…" for key in ("valid_from", "valid_until")
    )
    return [
        ("used as", f"{reference['need']} of {reference['instrument']}, {', '.join(values) or 'all frames'}"),
        ("valid", f"{begin} to {end}"),
        ("source", reference["source"] + (", SIMULATED" if reference["simulated"] else "")),
    ]


def _tell_facets(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    rows = [
        (name if number == 0 else "", shown(one["value"]), one["count"])
        for name, values in document["facets"].items()
        for number, one in enumerate(values)
    ]
    out().print(table("", ("", "", ">releases"), rows))
    if document["more"]:
        err().print(f"Of more than {document['count']} releases the first were counted.", soft_wrap=True)


def _tell_changes(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    before = document["before"]
    against = f" against {shown(before)}" if before else ""
    out().print(f"[bold]{shown(document['release'])}[/]{against}", soft_wrap=True)
    for one in document["changes"]:
        out().print(f"  {shown(one['text'])}", soft_wrap=True)


def _print_problems(fetched: Fetched) -> None:
    console = err()
    for one in fetched.problems:
        where = ": ".join(part for part in (one.found, one.file) if part)
        console.print(f"[yellow]not fetched[/]  {shown(one.reason)} ({shown(where)})", soft_wrap=True)
    for advice in dict.fromkeys(one.advice for one in fetched.problems if one.advice):
        console.print(f"  [dim]→ {shown(advice)}[/]", soft_wrap=True)


def _withdrawal(document: dict[str, Any]) -> str:
    told = document["withdrawn"]
    return f"{short_time(told['at'])} UTC: {told['reason']}" if told else ""


def _embargo(release: dict[str, Any]) -> str:
    if not release["under_embargo"]:
        return ""
    yours = "; you may have it" if release["available"] else ""
    return f"until {short_time(release['embargo_until'])} UTC{yours}"


def _print_release(document: dict[str, Any]) -> None:
    release, provenance = document["release"], document["provenance"]
    console = out()
    console.print(
        f"[bold]{shown(release['product'])}[/] v{release['version']:04d}  {coloured(release['status'])}"
        + (", [yellow]simulated[/]" if release["simulated"] else ""),
        soft_wrap=True,
    )
    facts = [
        ("data", f"{short_time(release['date_beg'])} to {short_time(release['date_end'])} UTC"),
        ("published", short_time(release["published"])),
        ("dataset", release["did"]),
        ("recipe", _recipe(provenance)),
        ("context", provenance["context"]),
        ("run", provenance["run"]),
        ("made from", ", ".join(provenance["parents"])),
        ("references", ", ".join(provenance["references"])),
        ("details", _details(document["meta"])),
        ("withdrawn", _withdrawal(document)),
        ("under embargo", _embargo(release)),
        *(("note", caveat) for caveat in release["caveats"]),
    ]
    rows = [(name, shown(value)) for name, value in facts if value not in (None, "")]
    console.print(table("", ("", ""), rows, fold=("",)))
    notes = {one["caveat"]: number for number, one in enumerate(document["caveats"], start=1)}
    files = [
        (
            _file_name(one),
            _size(one["size"]),
            short_time(one["date_beg"]),
            ", ".join(str(number) for number in sorted(notes[caveat] for caveat in one["caveats"])),
        )
        for one in document["files"]
    ]
    console.print(
        table("\nFiles", ("name", ">size", "begins", "notes" if notes else ""), files, fold=("name",))
    )
    if notes:
        told = [
            (notes[one["caveat"]], f"{one['files']} of {len(files)}", shown(one["caveat"]))
            for one in document["caveats"]
        ]
        console.print(table("\nNotes", ("", ">files", ""), told, fold=("",)))
    if len(document["versions"]) > 1:
        versions = [
            (f"v{one['version']:04d}", coloured(one["status"]), short_time(one["published"]))
            for one in document["versions"]
        ]
        console.print(table("\nVersions", ("version", "status", "published"), versions))


def _file_name(file: dict[str, Any]) -> str:
    """A file's name here, and the one its archive gave it where that is another."""
    original = f" (from {file['original']})" if "original" in file else ""
    return shown(f"{file['name']}{original}")


def _details(meta: Mapping[str, Any]) -> str:
    """Searchable values; one that differs between files with all that it is."""
    from lake.releases.values import each

    return "; ".join(f"{name}={', '.join(map(str, each(value)))}" for name, value in sorted(meta.items()))


def _recipe(provenance: dict[str, Any]) -> str:
    return f"{provenance['recipe']} version {provenance['recipe_version']}" if provenance["recipe"] else ""


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
