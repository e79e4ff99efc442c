"""The parts of the page as HTML: what was seen, put into words by the same functions as on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.board.blocks import badge, clock, mono, nothing, notice, section, table, told
from cluster.board.source import SiteFacts
from cluster.board.watch import Seen
from cluster.board.workers import WorkerFacts, memory_of
from cluster.html import safe
from cluster.pacing import STEPS, amount, left, span, speed, step_rows
from lake.ledger.overview import Overview
from lake.ledger.units import STATES
from lake.releases.latest import LatestFrame

_COLOURS: Final = ("#e8a33d", "#4c9be8", "#63b97a", "#c678b0", "#8a94a6", "#d96a5b")
_STEPS_OF: Final = 2
_EXECUTORS: Final = 12
_WORKERS: Final = 24
#: Share of its memory from which a worker takes no new work.
_FULL: Final = 0.8


def headline(seen: Seen) -> str:
    """What is wrong with what is shown, if anything; else when it was seen."""
    if seen.overview is None:
        return notice(seen.trouble) if seen.trouble else "<p class='quiet'>Looking at the catalogue …</p>"
    when = f"{seen.when:%H:%M:%S} UTC" if seen.when else ""
    if seen.trouble:
        return notice(f"{seen.trouble} What is shown is of {when}.")
    if seen.old:
        return notice(f"The catalogue has not answered for {seen.age:.0f} s. What is shown is of {when}.")
    return f"<p class='quiet'>seen {when}</p>"


def figures(overview: Overview, workers: Sequence[WorkerFacts]) -> str:
    """The numbers one looks at first.

    Parameters
    ----------
    overview
        All runs.
    workers
        Those of this scheduler.
    """
    going = [one for one in overview.runs if one["status"] == "running"]
    number, held = (overview.statuses.get(status, 0) for status in ("running", "paused"))
    rate = sum(one["rate"]["lately"] for one in going) / 60.0
    longest = max((one["left"] for one in going if one["left"]), key=lambda both: both[1], default=None)
    aside = sum(overview.put_aside.values())
    used, most = memory_of(workers)
    numbers = (
        ("running", str(number), f"{held} paused" if held else "run" if number == 1 else "runs"),
        ("speed", f"{rate:.3g}", "units per second, of late"),
        ("time left", span(*longest) if longest else "–", "until all have ended" if longest else ""),
        ("put aside", f"{aside:,}", "files in quarantine"),
        ("memory", amount(used), f"of {amount(most)}, workers here" if most else "no worker here"),
    )
    cells = "".join(
        f"<div class='figure'><span>{safe(name)}</span><b>{safe(value)}</b><span>{safe(more)}</span></div>"
        for name, value, more in numbers
    )
    return f"<div class='figures'>{cells}</div>"


def runs(overview: Overview) -> str:
    """Those that go on or are held up, each with its bar; the latest of the others as a table."""
    if not overview.runs:
        return section("Runs", nothing("No run yet. Begin one: heliolake process RECIPE"))
    going = overview.open
    cards = "".join(map(_card, going))
    shown = {one["run"] for one in going}
    number = sum(overview.statuses.get(status, 0) for status in ("running", "paused"))
    if number > len(going):
        cards += nothing(f"… and {number - len(going)} more that go on: heliolake runs")
    ended = [one for one in overview.runs if one["run"] not in shown]
    rows = [
        (
            mono(one["run"]),
            f"<span class='whole'>{safe(one['recipe'])}</span>",
            badge(one["status"]),
            clock(one["created"], overview.at),
            _counts(one["units"]),
            safe(speed(one)),
        )
        for one in ended
    ]
    names = ("run", "recipe", "status", "began", "units", "speed")
    return section("Runs", cards + (table(names, rows, kind="ended") if rows else ""))


def _card(one: Mapping[str, Any]) -> str:
    share = one["ended"] / one["total"] if one["total"] else 0.0
    said = " · ".join(filter(None, (f"{one['ended']:,} of {one['total']:,} units", speed(one))))
    note = f"<p class='quiet'>{told(one['note'])}</p>" if one["note"] else ""
    return (
        f"<div class='run'><div class='head'>{mono(one['run'])}<span>{safe(one['recipe'])}</span>"
        f"{badge(one['status'])}<span class='right'>{safe(left(one))}</span></div>"
        f"{_bar(one['units'], one['total'])}"
        f"<p><b>{100 * share:.0f} %</b> {safe(said)}</p><p>{_counts(one['units'])}</p>{note}</div>"
    )


def _bar(units: Mapping[str, int], total: int) -> str:
    """What became of the units, as lengths."""
    parts = "".join(
        f"<i class='{state}' style='width:{100 * units[state] / total:.3f}%'></i>"
        for state in ("done", "skipped", "quarantined", "failed", "leased")
        if total and units[state]
    )
    return f"<div class='bar'>{parts}</div>"


def steps(overview: Overview) -> str:
    """How fast frames pass each step, of the runs that go on; else of the last that had any."""
    timed = [one for one in overview.runs if one["steps"]]
    going = [one for one in timed if one["status"] == "running"]
    parts = []
    for one in (going or timed[:1])[:_STEPS_OF]:
        caption = f"{mono(one['run'])} <span>{safe(one['recipe'])}</span>"
        rows = [
            (*(safe(cell) for cell in row[:-1]), _share(step["share"], row[-1]))
            for row, step in zip(step_rows(one), one["steps"], strict=True)
        ]
        names = tuple("frames/s" if name == "per s" else name for name in STEPS)
        parts.append(f"<div class='head'>{caption}</div>{table(names, rows, range(1, 5), 'steps')}")
    return section("Steps", "".join(parts) or nothing("No frame was made yet."))


def _share(share: float, said: str) -> str:
    bar = f"<span class='share'><i style='width:{100 * share:.1f}%'></i></span>"
    return f"<span class='whole'>{bar}{safe(said)}</span>"


def sites(overview: Overview, known: Sequence[SiteFacts]) -> str:
    """Each site with what is to be done there, and the executors that are at it."""
    home = known[0].name if known else ""
    inks = colours(known)
    work: dict[str, dict[str, float]] = {}
    for run in overview.open:
        for one in run["sites"]:
            sums = work.setdefault(one["site"] or home, dict.fromkeys(("rate", *STATES), 0.0))
            sums["rate"] += one["rate"] if run["status"] == "running" else 0.0
            for state, number in one["states"].items():
                sums[state] += number
    names = {site.name: site for site in known}
    rows = []
    for name in sorted({*names, *work}):
        site, sums = names.get(name), work.get(name, dict.fromkeys(("rate", *STATES), 0.0))
        here = " <span class='quiet'>here</span>" if site is not None and site.here else ""
        state = "unknown" if site is None else "drained" if site.drained else "takes work"
        rows.append(
            (
                f"<i class='dot' style='background:{inks.get(name, 'none')}'></i><b>{safe(name)}</b>{here}",
                safe(state),
                *(f"{sums[which]:,.0f}" for which in ("planned", "leased", "done")),
                f"{sums['rate']:.3g}",
            )
        )
    work_there = table(("site", "", "waiting", "at work", "done", "per min"), rows, numbers=range(2, 6))
    return section("Sites", work_there + _executors(overview, home))


def colours(known: Sequence[SiteFacts]) -> dict[str, str]:
    """A colour for each site; runs of one site, whose name is empty, are the home's."""
    found = {site.name: _COLOURS[number % len(_COLOURS)] for number, site in enumerate(known)}
    return found | {"": _COLOURS[0]}


def _executors(overview: Overview, home: str) -> str:
    at_it = [(run["run"], one) for run in overview.open for one in run["executors"] if not one["ended"]]
    at_it.sort(key=lambda both: (not both[1]["alive"], both[1]["seen"]), reverse=True)
    rows = [
        (
            mono(":".join(one["executor"].split(":")[:2])),
            safe(one["site"] or home),
            mono(run),
            badge("silent") if not one["alive"] else told(one["note"] or "working"),
            clock(one["seen"], overview.at, seconds=True),
        )
        for run, one in at_it[:_EXECUTORS]
    ]
    if not rows:
        return nothing("No executor is at work.")
    more = len(at_it) - len(rows)
    rest = nothing(f"… and {more} more") if more > 0 else ""
    return table(("executor", "site", "run", "at", "heard of"), rows) + rest


def workers(known: Sequence[WorkerFacts]) -> str:
    """What the workers of this scheduler hold and do, those that hold the most first."""
    rows = [
        (
            safe(one.name),
            _memory(one),
            safe(f"{amount(one.spilled)} on disk") if one.spilled else "",
            str(one.busy),
            "" if one.status == "running" else badge(one.status),
        )
        for one in sorted(known, key=lambda one: -one.held)[:_WORKERS]
    ]
    more = len(known) - len(rows)
    rest = nothing(f"… and {more} more") if more > 0 else ""
    body = table(("worker", "memory", "", "tasks", ""), rows, numbers=[3]) if rows else nothing("None.")
    return section("Workers of this scheduler", body + rest)


def _memory(one: WorkerFacts) -> str:
    share = min(1.0, one.held / one.most) if one.most else 0.0
    kind = "full" if share > _FULL else ""
    of = f" of {amount(one.most)}" if one.most else ""
    bar = f"<span class='share {kind}'><i style='width:{100 * share:.1f}%'></i></span>"
    return f"{bar}{safe(amount(one.held) + of)}"


def quarantine(overview: Overview) -> str:
    """Files that were put aside, together where the reason is the same."""
    total = sum(overview.put_aside.values())
    if not total:
        return section("Quarantine", nothing("Nothing was put aside."))
    parts = [
        f"<li><b>{one['files']:,}</b><div>{told(one['reason'])}"
        f"<p class='quiet'>{told(one['advice'])}</p>"
        f"<p class='quiet'>{safe(one['stage'])} · {safe(one['code'])} · last "
        f"{clock(one['last_seen'], overview.at)}</p></div></li>"
        for one in overview.quarantine
    ]
    more = total - sum(one["files"] for one in overview.quarantine)
    rest = nothing(f"… and {more:,} more: heliolake quarantine") if more > 0 else ""
    return section("Quarantine", f"<ul class='reasons'>{''.join(parts)}</ul>{rest}")


def frames(
    overview: Overview, latest: Sequence[LatestFrame], picture: Callable[[LatestFrame], str | None]
) -> str:
    """The frames that were published last; of those that not everybody may see no more than the name.

    Parameters
    ----------
    overview
        All runs.
    latest
        The frames.
    picture
        Gives the picture of a frame; '' where none can be made, None where it is not there yet.
    """
    tiles = [_tile(one, picture(one)) for one in latest]
    published = {one.run for one in latest}
    tiles += [
        _grey(f"{run['units']['done']:,} frames made", "shown once they are published", run["run"])
        for run in overview.open
        if run["units"]["done"] and run["run"] not in published
    ]
    body = f"<div class='tiles'>{''.join(tiles)}</div>" if tiles else nothing("No frame was made yet.")
    return section("Latest frames", body)


def _tile(frame: LatestFrame, png: str | None) -> str:
    if frame.grant is None:
        return _grey(frame.withheld, "no picture", frame.name)
    if png:
        name = safe(frame.name)
        drawn = f"<img alt='{name}' src='data:image/png;base64,{png}'>"
        caption = f"<figcaption><bdi>{name}</bdi></figcaption>"
        return f"<figure title='{safe(frame.release)}'>{drawn}{caption}</figure>"
    return _grey("no picture can be made" if png == "" else "its picture is being made", "", frame.name)


def _grey(said: str, more: str, name: str) -> str:
    inside = f"<div class='none'><span>{safe(said)}</span><span>{safe(more)}</span></div>"
    return f"<figure>{inside}<figcaption><bdi>{safe(name)}</bdi></figcaption></figure>"


def _counts(units: Mapping[str, int]) -> str:
    said = [
        f"<span class='count'><i class='{safe(state)}'></i>{number:,} {safe(state)}</span>"
        for state, number in units.items()
        if number
    ]
    return " ".join(said) or "none"
