"""`recipes`, `steps`, `instruments`: what this installation can do. Needs no service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding

from heliolake.cli.common import KNOW, Json
from heliolake.cli.complete import instrument_names, recipe_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, shown, table
from heliolake.cli.reports import told_where

if TYPE_CHECKING:
    from pipeline.step import Step

InstrumentOption = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        autocompletion=instrument_names,
        help="Only of this instrument.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=KNOW)(recipes)
    app.command(rich_help_panel=KNOW)(steps)
    app.command(rich_help_panel=KNOW)(instruments)


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", autocompletion=recipe_names, help="Show this recipe step by step."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the recipes: what can be made of which instrument's files.

    [bold]Examples[/]

      heliolake recipes
      heliolake recipes stereo_hi-l1
    """
    from heliolake.recipes import find_recipe, recipe_document
    from pipeline.recipe import recipes as all_recipes

    known = [find_recipe(name)] if name else sorted(all_recipes().values(), key=lambda one: one.name)
    documents = [recipe_document(recipe) for recipe in known]
    if as_json:
        print_json({"recipes": documents})
    elif name:
        _print_recipe(documents[0])
    else:
        rows = [
            (
                one["name"],
                one["instrument"],
                f"{one['from_level']} → {one['to_level']}",
                one["version"],
                _first(one["description"]),
            )
            for one in documents
        ]
        out().print(
            table(
                "",
                ("recipe", "instrument", "level", ">version", "what it does"),
                rows,
                fold=("what it does",),
            )
        )


def steps(instrument: InstrumentOption = None, as_json: Json = False) -> None:
    """List the steps recipes are made of, with their parameters and the references they need."""
    from pipeline.registry import instrument as find
    from pipeline.registry import instruments as load_all
    from pipeline.step import owner_of
    from pipeline.step import steps as registered

    load_all()
    if instrument:
        find(instrument)
    documents = [_step_document(one, owner_of(one)) for one in registered(instrument)]
    if as_json:
        print_json({"steps": documents})
        return
    rows = [
        (
            shown(one["name"]),
            "any" if one["instrument"] == "*" else one["instrument"],
            shown(one["summary"]),
            ", ".join(need["name"] for need in one["needs"]),
        )
        for one in documents
    ]
    out().print(
        table(
            "",
            ("step", "instrument", "what it does", "references"),
            rows,
            fold=("what it does", "references"),
        )
    )


def instruments(
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="NAME|FOLDER",
            autocompletion=instrument_names,
            help="Check one: its description, recipes, steps, references, packaging.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the instruments whose files are recognised, or check one that you write.

    [bold]Examples[/]

      heliolake instruments
      heliolake instruments --check my_camera/
    """
    if check is not None:
        _check(check, as_json=as_json)
        return
    from pipeline.errors import Fatal
    from pipeline.recipe import recipes_of
    from pipeline.registry import broken
    from pipeline.registry import instruments as known

    documents: list[dict[str, Any]] = []
    troubles = dict(broken())
    for entry in known().values():
        try:
            made = sorted(recipes_of(entry))
        except Fatal as error:
            made = []
            troubles[entry.name] = str(error)
        documents.append(
            {
                "name": entry.name,
                "title": entry.title,
                "recognise": [dict(block) for block in entry.recognise],
                "observation": entry.observation,
                "levels": sorted(entry.level.levels),
                "axes": [
                    {"dims": list(rule.names), "levels": list(rule.levels), "where": rule.where}
                    for rule in entry.axes
                ],
                "meta": sorted(entry.meta),
                "recipes": made,
            }
        )
    if as_json:
        print_json({"instruments": documents, "broken": troubles})
    else:
        rows = [
            (one["name"], shown(one["title"]), ", ".join(one["levels"]), ", ".join(one["recipes"]))
            for one in documents
        ]
        out().print(table("", ("instrument", "title", "levels", "recipes"), rows, fold=("title", "recipes")))
        for name, why in troubles.items():
            err().print(f"[yellow]{shown(name)}[/]  {shown(why)}", soft_wrap=True)
    if troubles:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _check(which: str, *, as_json: bool) -> None:
    from pipeline.checking import check
    from pipeline.choices import choices
    from pipeline.errors import Fatal
    from pipeline.registry import broken
    from pipeline.registry import instruments as known

    folder = Path(which)
    if not folder.is_dir() and which in broken():
        raise Fatal(broken()[which])
    if not folder.is_dir():
        if which not in known():
            raise Fatal(f"there is neither a folder nor an instrument {which}. {choices(which, known())}")
        folder = known()[which].folder
    found = check(folder)
    found = found._replace(problems=(*found.problems, *_about_citing(folder)))
    if as_json:
        print_json(found._asdict())
    else:
        for sentence in found.problems:
            out().print(f"[red]wrong[/]  {shown(sentence)}", soft_wrap=True)
        for sentence in found.notes:
            out().print(f"[dim]note   {shown(sentence)}[/]", soft_wrap=True)
        made = f"{len(found.recipes)} recipes, {len(found.steps)} steps of its own"
        verdict = f"{len(found.problems)} to put right" if found.problems else f"fit for use: {made}"
        out().print(f"[bold]{shown(found.name)}[/]  {verdict}", soft_wrap=True)
    if found.problems:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _about_citing(folder: Path) -> list[str]:
    """What a description says of how its data are cited, and cannot be; the pipeline does not judge that."""
    from lake.governance.doi.citation import mistakes
    from pipeline.checking import described_in
    from pipeline.errors import HeliolakeError
    from pipeline.registry import read_description

    try:
        return mistakes(read_description(described_in(folder)).citation)
    except HeliolakeError:  # it cannot be read, which has been said
        return []


def _print_recipe(document: dict[str, Any]) -> None:
    console = out()
    console.print(
        f"[bold]{document['name']}[/]  {document['instrument']} level {document['from_level']} → "
        f"{document['to_level']}, version {document['version']}"
    )
    console.print(shown(document["description"]))
    if some := told_where(document):
        console.print(some)
    for one in document["steps"]:
        off = "" if one["enabled"] else f" [yellow]off[/] [dim](--set {one['setting']}.enabled=true)[/]"
        console.print(f"\n[bold cyan]{one['setting']}[/]{off}  {shown(one['summary'])}")
        if one["needs"]:
            assumed = [f"{need}: assumed to be {what}" for need, what in one["assume"].items()]
            console.print(f"  [dim]references: {shown(', '.join(assumed or one['needs']))}[/]")
        rows = [_parameter_row(entry, one["params"][entry["name"]]) for entry in one["parameters"]]
        if rows:
            console.print(Padding(table("", ("", "", ""), rows, fold=("",)), (0, 0, 0, 2)))
        if one["uncertainty"]:
            console.print(f"  [dim]uncertainty {shown(one['uncertainty'])}[/]")
    console.print(
        "\nUncertainty: every product gets an extension UNCERT."
        if document["uncertainty"]
        else "\nUncertainty: not asked for; --set uncertainty=true adds an extension UNCERT to every product."
    )
    console.print(f"\nChange one: heliolake process {shown(document['name'])} --set STEP.PARAMETER=VALUE")


def _parameter_row(entry: dict[str, Any], value: object) -> tuple[str, str, str]:
    """Name, value with unit, and what it means with what else it could be."""
    unit = "" if entry["unit"] == "1" else entry["unit"]
    limits = ["one of " + ", ".join(map(_as_yaml, entry["choices"]))] if entry["choices"] else []
    limits += [f"in {unit}"] if unit and value is None else []
    limits += [entry["bounds"]] if entry["bounds"] else []
    limits += [] if value == entry["default"] else [f"default {_as_yaml(entry['default'])}"]
    more = f" [dim]({shown('; '.join(limits))})[/]" if limits else ""
    text = f"{_as_yaml(value)} {unit}" if unit and value is not None else _as_yaml(value)
    return entry["name"], shown(text), shown(entry["meaning"].replace("``", "")) + more


def _as_yaml(value: object) -> str:
    """A value as ``--set`` takes it."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def _step_document(entry: Step, owner: str) -> dict[str, Any]:
    from pipeline.dims import written
    from pipeline.parameters import parameters

    return {
        "name": entry.name,
        "instrument": owner,
        "version": entry.version,
        "summary": entry.summary,
        "prstep": entry.prstep,
        "takes": list(entry.takes) if entry.takes else None,
        "dims": written(entry.dims),
        "parameters": [one.as_dict() for one in parameters(entry.params_model)],
        "params": entry.params_model.model_json_schema().get("properties", {}),
        "needs": [
            {
                "name": need.name,
                "describe": need.describe,
                "unity_allowed": need.unity_allowed,
                "per_frame": need.per_frame,
                "optional": need.optional,
            }
            for need in entry.needs
        ],
        "memory_factor": entry.memory_factor,
    }


def _first(text: str) -> str:
    """The first sentence."""
    return re.split(r"[.;:](?= |$)", text, maxsplit=1)[0]
