"""Each release: published ones whole in Rucio and held there, drafts not forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.models import Product, Release, ReleaseFile, Run
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.config import Placement
from lake.entries import iso
from lake.errors import HeliolakeLakeError
from lake.fsck.cures import cure
from lake.fsck.difference import Difference, Look
from lake.fsck.orphans import taken_in_by
from lake.fsck.picture import OPEN_RUN, Did, Picture, ReleaseFacts
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.names import ProductKey, version_of
from lake.releases import publishing
from lake.releases.search import files_of
from lake.rucio.client import Replica, Rule
from lake.storage.store import key_of
from lake.storage.verify import is_whole


def releases(look: Look) -> Iterator[Difference]:
    """Each published release: a closed dataset with just its files, in its container, with a locked rule."""
    picture = look.picture
    expected = {(release.scope, release.dataset) for release in picture.releases}
    for scope, dataset in sorted(picture.datasets.keys() - expected):
        if version_of(f"{dataset}.fits") is not None and not picture.contents.get((scope, dataset)):
            continue  # of a draft that was given up before anything was in it: its version is not used again
        yield Difference(
            "unknown-dataset",
            f"{scope}:{dataset}",
            "Rucio has a dataset that is no release of ours; it does no harm, and is nothing of this lake's",
        )
    for release in picture.releases:
        if release.status != "DRAFT":
            yield from _release(look, release)


def _release(look: Look, release: ReleaseFacts) -> Iterator[Difference]:
    lake, picture = look.lake, look.picture
    key = (release.scope, release.dataset)
    dataset = picture.datasets.get(key)
    if dataset is None:
        detail = "the catalogue has the release, Rucio has no dataset of it"
        yield Difference("no-dataset", release.did, detail, partial(_into_rucio, lake, release))
        return
    content = picture.contents.get(key, set())
    if content != release.files:
        yield _content(look, release, content, is_open=dataset.is_open)
    if dataset.is_open:
        repair = partial(_into_rucio, lake, release)
        yield Difference("dataset-open", release.did, "the dataset of a published release is open", repair)
    if release.dataset not in picture.containers.get((release.scope, release.observation), ()):
        yield Difference(
            "not-in-container",
            release.did,
            f"the dataset is not in its container {release.scope}:{release.observation}",
            partial(_attach, lake, release),
        )
    wanted = _placement(lake, release)
    ours = {one.rse for one in lake.config.elements}
    rules = [rule for rule in picture.rules.get(key, []) if rule.rses <= ours]
    ensure = partial(lake.rucio.ensure_locked_rule, *key, wanted)
    if not any(rule.locked for rule in rules):
        detail = "has only rules that are not locked" if rules else "has no rule"
        yield Difference(
            "rule-unlocked" if rules else "no-rule",
            release.did,
            f"the release {detail} on {' or '.join(wanted.rses)}: Rucio may delete its files",
            ensure,
        )
    elif (copies := max(rule.copies for rule in rules if rule.locked)) < wanted.copies:
        detail = (
            f"{wanted.copies} copies are wanted among {', '.join(wanted.rses)}, its rule asks for {copies}"
        )
        yield Difference("too-few-copies", release.did, detail, ensure)
    for rule in rules:
        if rule.locked and rule.state != "OK":
            yield _stuck(look, release, rule)


def _placement(lake: Lake, release: ReleaseFacts) -> Placement:
    """Where copies of a release are to be, as its embargo is now."""
    until = release.embargo_until
    return lake.config.placement(release.scope, under_embargo=until is not None and until > datetime.now(UTC))


def _content(look: Look, release: ReleaseFacts, content: set[Did], *, is_open: bool) -> Difference:
    """Three accounts of what a release holds: its rows, its count, Rucio's dataset; two outvote one."""
    picture = look.picture
    more, less = len(content - release.files), len(release.files - content)
    detail = f"Rucio's dataset differs from the release: {more} files too many, {less} missing"
    if is_open:
        return Difference("dataset-content", release.did, detail, partial(_into_rucio, look.lake, release))
    if len(content) == release.number and content <= picture.facts.keys():
        ids = [picture.facts[did].id for did in content]
        repair = partial(_set_members, look.lake, release, ids)
        detail += f"; the release counts {release.number} files, as the dataset does"
        return Difference("dataset-content", release.did, detail, repair)
    detail += "; a closed dataset cannot be changed, the catalogue's list is what `heliolake get` gives"
    return Difference("dataset-content", release.did, detail)


def _stuck(look: Look, release: ReleaseFacts, rule: Rule) -> Difference:
    lake, picture = look.lake, look.picture
    waits = look.lake.rucio.stuck_files(rule)
    files = {did: picture.files[did] for did in waits if did in picture.files}
    damaged = [did for did, sums in files.items() if not _stored_size_is(picture, did, sums)]
    detail = f"its rule on {rule.rse_expression} is {rule.state}"
    if damaged:
        commands = dict.fromkeys(command for did in damaged for command in cure(picture, did))
        names = ", ".join(name for _, name in damaged[:3])
        detail += f" for {len(damaged)} lost files ({names}{', …' if len(damaged) > 3 else ''})"
        return Difference("rule-state", release.did, detail, commands=tuple(commands))
    if not files:
        detail += "; its files are there, and Rucio's daemon (judge-repairer) sets it right in its next round"
        return Difference("rule-state", release.did, detail, commands=("heliolake fsck",))
    return Difference("rule-state", release.did, detail, partial(_unstick, lake, files))


def _stored_size_is(picture: Picture, did: Did, sums: Checksums) -> bool:
    found = picture.stored.get(picture.path_of(did))
    return found is not None and found.size == sums.size


def drafts(look: Look) -> Iterator[Difference]:
    """Releases that were begun and not published."""
    lake, picture = look.lake, look.picture
    now = datetime.now(UTC)
    for release in picture.releases:
        if release.status != "DRAFT":
            continue
        content = picture.contents.get((release.scope, release.dataset), set())
        old = (now - release.created).total_seconds() >= look.grace_seconds
        awaited = release.key in picture.open_runs
        yield Difference(
            "abandoned-draft",
            release.did,
            f"begun at {iso(release.created)} and not published; a command may be at work on it",
            partial(_discard, lake, release) if not content and old and not awaited else None,
            taken_in_by(look, sorted(content), release.key),
        )


def _attach(lake: Lake, release: ReleaseFacts) -> None:
    lake.rucio.ensure_container(release.scope, release.observation)
    lake.rucio.attach_dataset(release.scope, release.observation, release.dataset)


def _into_rucio(lake: Lake, release: ReleaseFacts) -> None:
    """Do again what publishing does in Rucio: dataset, files, closed, in its container, held by a rule."""
    with transaction(lake.sessions) as session:
        row = session.get_one(Release, release.id)
        product = session.get_one(Product, row.product_id)
        key = ProductKey(release.scope, release.observation, product.level)
    entries = files_of(lake, CUSTODY, release.id)
    publishing.require_bytes(lake, entries)
    publishing.into_rucio(lake, key, release.dataset, entries)
    publishing.into_opendata(lake, row)


def _set_members(lake: Lake, release: ReleaseFacts, ids: list[int]) -> None:
    rows = [{"release_id": release.id, "file_id": one} for one in ids]
    with transaction(lake.sessions) as session:
        session.execute(
            delete(ReleaseFile).where(ReleaseFile.release_id == release.id, ReleaseFile.file_id.not_in(ids))
        )
        if rows:
            session.execute(insert(ReleaseFile).on_conflict_do_nothing(), rows)


def _unstick(lake: Lake, files: Mapping[Did, Checksums]) -> None:
    """Tell Rucio that files a rule waits for are there, once they have proved to be."""
    bad = [did for did, sums in files.items() if not is_whole(lake.store, key_of(*did), sums)]
    if bad:
        raise HeliolakeLakeError(
            f"{':'.join(bad[0])} is damaged: `heliolake fsck --deep` names what cures it"
        )
    lake.rucio.mend_replicas([Replica(*did, one.size, one.adler32) for did, one in files.items()])


def _discard(lake: Lake, release: ReleaseFacts) -> None:
    with transaction(lake.sessions) as session:
        # Somebody may have gone on with the run since the picture was taken.
        run = session.get(Run, release.key, with_for_update=True)
        row = session.get(Release, release.id, with_for_update=True)
        if row is not None and row.status == "DRAFT" and (run is None or run.status not in OPEN_RUN):
            session.delete(row)
