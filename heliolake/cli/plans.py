"""Plans as people read them: products, what is left out, how one file is made, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heliolake.cli.output import err, out, print_json, shown, table
from heliolake.cli.reports import short_time, told_where

if TYPE_CHECKING:
    from cluster.plan.plan import Plan

_TOLD = 8
"""Releases and files that are named; the table, other options and `--json` have all."""


def say_left_over(releases: Sequence[str]) -> None:
    """Name releases that nothing takes the place of: only a person knows whether they are wrong."""
    for one in releases[:_TOLD]:
        words = f"{shown(one)} stays ACTIVE though all that it would be made of is put aside now"
        err().print(f"[yellow]{words}[/] (`heliolake quarantine` tells why).", soft_wrap=True)
    if releases:
        more = f"; {len(releases) - _TOLD} more: --json" if len(releases) > _TOLD else ""
        withdraw = f"heliolake withdraw {shown(releases[0])} --reason '…'"
        err().print(f"If it is wrong too: [bold]{withdraw}[/]{more}", soft_wrap=True)


def print_plan(document: dict[str, Any]) -> None:
    """A plan's document with its ``standing``, as people read it."""
    recipe, stands = document["recipe"], document["standing"]
    console = out()
    aside = f", {stands['put_aside']} put aside before" if stands["put_aside"] else ""
    console.print(
        f"[bold]{recipe['name']}[/] version {recipe['version']}, "
        f"level {recipe['from_level']} → {recipe['to_level']}, context {document['context'] or 'none'}: "
        f"{len(document['units'])} files, {len(document['products'])} products; "
        f"{stands['new']} files are new, {stands['done']} were done before{aside}"
    )
    if some := told_where(recipe):
        console.print(f"[dim]{some}[/]")
    rows = [
        (
            shown(one["product"]),
            one["units"],
            one["new"],
            one["done"],
            "" if one["active"] is None else f"v{one['active']:04d}",
            one["comes"],
        )
        for one in stands["products"]
    ]
    if rows:
        heads = ("product", ">files", ">new", ">done", "active", "what comes")
        console.print(table("", heads, rows, fold=("product", "what comes")))
    if stands.get("embargo_until"):
        until = short_time(stands["embargo_until"])
        console.print(f"As decided now, the last of the products is under embargo until {until} UTC.")
    say_left_over(stands.get("left_over", []))
    for need, number in stands["lacking"].items():
        console.print(f"[yellow]{number} files lack the reference {shown(need)} and will be put aside[/]")
    _print_left_out(document)
    console.print(f"[dim]plan {document['plan']}[/]")


def _print_left_out(document: Mapping[str, Any]) -> None:
    """The first of the files that a plan does not touch, each with the reason."""
    left_out, not_for = document["left_out"], document["not_for"]
    number = len(left_out) + not_for["number"]
    for entry in [*left_out, *not_for["first"]][:_TOLD]:
        out().print(f"[dim]left out: {shown(entry['file'])}: {shown(entry['reason'])}[/]", soft_wrap=True)
    if number > _TOLD:
        out().print(f"[dim]and {number - _TOLD} more: --left-out lists all[/]")


def print_left_out(made: Plan, *, as_json: bool) -> None:
    """Every file that a plan does not touch, and why."""
    left_out = (*made.left_out, *made.not_for.first)
    if as_json:
        print_json({"plan": made.id, "left_out": [one.document() for one in left_out]})
        return
    if not left_out:
        err().print(f"{made.recipe.name} leaves out no file of level {made.recipe.from_level}.")
    for one in left_out:
        out().print(f"{shown(one.file)}: {shown(one.reason)}", soft_wrap=True)


def say_not_for(not_for: Mapping[str, Any], lists: str) -> None:
    """Say in a line how many files a recipe was not for, why the first was not, and what lists them.

    Parameters
    ----------
    not_for
        As `cluster.plan.left_out.NotFor.document` gives it.
    lists
        The command that lists all.
    """
    if not not_for["number"]:
        return
    first, number = not_for["first"][0], not_for["number"]
    files = "1 file of its level is" if number == 1 else f"{number} files of its level are"
    err().print(
        f"[yellow]{files} not for this recipe[/]: {'' if number == 1 else 'the first is '}"
        f"{shown(first['file'])}, {shown(first['reason'])}. [bold]{shown(lists)}[/] lists all.",
        soft_wrap=True,
    )


def explain(made: Plan, did: str, *, as_json: bool) -> None:
    """How one file would be made; or why not, where the plan knows all that it leaves out."""
    found, left_out = made.explain(did), [one.document() for one in made.why_not(did)]
    if as_json:
        print_json({"plan": made.id, "explain": did, "units": found, "left_out": left_out})
        return
    console = out()
    for entry in left_out:
        console.print(f"{shown(entry['file'])} is left out: {shown(entry['reason'])}.", soft_wrap=True)
    if not found and not left_out:
        console.print(f"Nothing in this plan reads {shown(did)}.")
    for unit in found:
        console.print(f"[bold]{shown(unit['input'])}[/] → {shown(unit['product'])}")
        console.print(f"  from release  {shown(unit['parent'])}")
        console.print(f"  unit          {unit['unit']}")
        for reason in unit["why"].values():
            console.print(f"  {shown(reason)}")
        for need, reason in unit["absent"].items():
            console.print(f"  {need}: none — {shown(reason)}")


def show_diff(document: dict[str, Any], *, as_json: bool) -> None:
    """How a plan differs from an earlier one."""
    if as_json:
        print_json(document)
        return
    rows = [
        ("only in the earlier plan", len(document["removed"])),
        ("only in this plan", len(document["added"])),
        ("same input, other work", len(document["changed"])),
        ("the same", document["same"]),
    ]
    console = out()
    console.print(table("", ("units", ">number"), rows))
    for entry in document["changed"][:20]:
        console.print(f"changed: {shown(entry['input'])} — {shown(entry['why'])}")
