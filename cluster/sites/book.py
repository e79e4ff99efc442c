"""The sites of a home: what is known of each, and how its storage and its scheduler are reached."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cluster.home.home import Home
from cluster.scheduler import Scheduler
from cluster.sites import file
from cluster.sites.site import EVERYTHING, HOME, LocalDask, Site, Sites
from lake.config import Element, LakeConfig, Placement
from lake.errors import BadInput, Reason
from lake.storage import credentials

_LIST: Final = "`heliolake site list` shows them"


class Book:
    """What a home knows of sites.

    Parameters
    ----------
    home
        The home; it is a site itself, under the name `cluster.sites.site.HOME`.
    """

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def said(self) -> Sites:
        """What the home's file of sites says; read anew, for commands and people change it."""
        return file.read(self.home.sites)

    @property
    def here(self) -> str:
        """Name of the site that the home is itself: the one that has its storage element, else `HOME`."""
        rse = self.home.rse
        return next((name for name, site in self.said.sites.items() if site.rse == rse), HOME)

    @property
    def sites(self) -> dict[str, Site]:
        """All sites by name, the home's own first."""
        said, here, home = self.said.sites, self.here, self.home
        own = said.get(here) or Site(rse=home.rse, storage=home.kind)
        if not home.outside:  # what a home runs itself is not for its file of sites to say
            own = own.model_copy(update={"rse": home.rse, "storage": home.kind, "dask": LocalDask()})
        return {here: own} | {name: site for name, site in said.items() if name not in (here, HOME)}

    @property
    def several(self) -> bool:
        """Whether there is any site besides the home."""
        return len(self.sites) > 1

    def site(self, name: str) -> Site:
        """One site.

        Raises
        ------
        BadInput
            With code not-found.
        """
        known = self.sites
        if name not in known:
            advice = f"there are {', '.join(known)}; {_LIST}"
            raise BadInput(f"there is no site {name!r}", advice=advice, code=Reason.NOT_FOUND)
        return known[name]

    def part(self, name: str) -> Home:
        """The folder of what the home runs for a site: itself for its own."""
        return self.home if name == self.here else self.home.part(name)

    def embedded(self) -> dict[str, Home]:
        """The other sites of which the home runs storage or scheduler, and the folders of both."""
        return {
            name: self.part(name)
            for name, site in self.sites.items()
            if name != self.here and (site.embedded or site.dask.kind == "local")
        }

    def store_url(self, name: str) -> str:
        """URL of a site's store."""
        site = self.site(name)
        return self.part(name).store_url if name == self.here or site.embedded else site.storage

    def lake_config(self, name: str = "", *, alone: bool = False) -> LakeConfig:
        """How to reach the lake from a site.

        Parameters
        ----------
        name
            The site; what is made is stored there. The home's own where none is named.
        alone
            Know no other site's storage: as a process that runs there does.

        Raises
        ------
        lake.errors.Unreachable
            When the services of the home are not running.
        """
        sites, name = self.sites, name or self.here
        site = self.site(name)
        others = tuple(
            Element(one.rse, "" if alone else self.store_url(other), _embargoed(one))
            for other, one in sites.items()
            if other != name
        )
        keys: Path | None = self.home.store_credentials
        if alone:
            keys = self.part(name).store_credentials if site.embedded else site.credentials or keys
        near = self.home.lake_config()
        if name != self.here:
            near = replace(near, rse=site.rse, store=self.store_url(name), store_credentials=keys)
        return replace(
            near,
            embargoed=_embargoed(site),
            others=others,
            placements=self._placements(sites),
        )

    @contextmanager
    def scheduler(self, name: str = "") -> Iterator[Scheduler]:
        """The Dask scheduler of a site, the home's own where none is named, for as long as the context lasts.

        Raises
        ------
        lake.errors.Unreachable
            When the home is to run it, and it is not running.
        """
        from cluster.sites.schedulers.opening import opened  # distributed takes a second to import

        name = name or self.here
        site, part = self.site(name), self.part(name)
        near = part.scheduler() if site.dask.kind == "local" else None
        with opened(site.dask, part.dask, home=near, environment=_keys(site)) as scheduler:
            yield scheduler

    def add(self, name: str, given: Mapping[str, Any]) -> None:
        """Write down a site; `up` starts what the home runs for it.

        Raises
        ------
        BadInput
            When there is one of the name.
        Fatal
            When what is said of it cannot be.
        """
        if name == HOME or name in self.said.sites:
            raise BadInput(f"there is a site {name!r} already", advice=_LIST, code=Reason.NAME_CONFLICT)
        if given.get("rse") == self.home.rse:
            raise BadInput(f"{self.home.rse} is the storage element of the home", keyword="--rse")
        told = self.said.model_dump(mode="json", exclude_none=True)
        told["sites"] = told["sites"] | {name: {key: one for key, one in given.items() if one is not None}}
        self._write(told)

    def add_embedded(self, name: str, storage: str) -> None:
        """Write down a site that the home runs, unless it is there.

        Raises
        ------
        Fatal, BadInput
            As `add`; also where there is one of the name with another storage.
        """
        known = self.said.sites.get(name)
        if known is None:
            # The home's own workers have the cores already.
            dask = LocalDask(workers=max(1, (os.cpu_count() or 2) // 2))
            self.add(name, {"rse": name.upper(), "storage": storage, "dask": dask.model_dump()})
        elif known.storage != storage:
            advice = f"leave ={storage} out, or give the new site another name"
            raise BadInput(f"the site {name} keeps its files in {known.storage}", advice=advice)

    def set_drained(self, name: str, *, drained: bool) -> None:
        """Have a site take no more work, or take some again.

        Raises
        ------
        BadInput
            When there is none of the name.
        """
        changed = self.site(name).model_copy(update={"drained": drained})
        said = self.said
        file.write(self.home.sites, said.model_copy(update={"sites": said.sites | {name: changed}}))

    def drop(self, name: str) -> None:
        """Forget a site, with what is said of its ways and of copies there."""
        said = self.said
        rest = {other: site for other, site in said.sites.items() if other != name}
        links = tuple(one for one in said.links if name not in (one.source, one.target))
        copies = {
            scope: rule.model_copy(update={"sites": tuple(one for one in rule.sites if one != name)})
            for scope, rule in said.copies.items()
        }
        file.write(self.home.sites, said.model_copy(update={"sites": rest, "links": links, "copies": copies}))

    def replace(self, said: Sites) -> None:
        """Write down all that is said of sites."""
        file.write(self.home.sites, said)

    def _write(self, told: Mapping[str, Any]) -> None:
        self.home.create()
        file.write(self.home.sites, file.checked(self.home.sites, told))

    def _placements(self, sites: dict[str, Site]) -> dict[str, Placement]:
        return {
            scope: Placement(rule.copies, tuple(sites[name].rse for name in rule.sites or sites))
            for scope, rule in self.said.copies.items()
        }


def _keys(site: Site) -> dict[str, str]:
    """What workers that somebody else runs are told of the credentials: a place on their own machines."""
    return {} if site.credentials is None else {credentials.VARIABLE: str(site.credentials)}


def _embargoed(site: Site) -> frozenset[str] | None:
    return None if site.embargoed == EVERYTHING else frozenset(site.embargoed)
