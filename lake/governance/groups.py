"""Groups of accounts: lists of names, there as long as somebody is in them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.accounts import Account, Membership
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.names import check_account
from lake.governance.policy import Principal
from lake.governance.rights import require, runs_accounts
from lake.lake import Lake
from lake.text import printable


def add(lake: Lake, group: str, accounts: Iterable[str], *, principal: Principal) -> list[str]:
    """Put accounts into a group; says who was not in it before.

    Raises
    ------
    BadInput
        When one of them does not exist, the name cannot be a group's, or the principal may not.
    """
    require(runs_accounts(principal), principal, "change groups")
    check_account(group)
    wanted = sorted(set(accounts))
    with transaction(lake.sessions) as session:
        known = set(session.scalars(select(Account.name).where(Account.name.in_(wanted))))
        for name in wanted:
            if name not in known:
                raise _not_found("there is no such account", "account", name)
        rows = [{"account": name, "grouping": group, "claimed": False} for name in wanted]
        made = insert(Membership).values(rows).on_conflict_do_nothing().returning(Membership.account)
        new = sorted(session.scalars(made))
        if new:
            audit.record(session, principal.signature, "group.add", group, {"accounts": new})
    return new


def remove(lake: Lake, group: str, accounts: Iterable[str], *, principal: Principal) -> list[str]:
    """Take accounts out of a group.

    Raises
    ------
    BadInput
        When one of them is not in it, or is because its OpenID provider says so at every login.
    """
    require(runs_accounts(principal), principal, "change groups")
    wanted = sorted(set(accounts))
    with transaction(lake.sessions) as session:
        members = {(one.account, one.claimed) for one in session.scalars(_members(group))}
        for name in wanted:
            if (name, False) in members:
                continue
            if (name, True) in members:
                raise BadInput(
                    f"its OpenID provider puts this account into {group} at every login",
                    keyword="account",
                    found=name,
                    advice="let it be taken out there, or suspend the account.",
                    code=Reason.NOT_ALLOWED,
                )
            raise _not_found(f"this account is not in {printable(group[:64])}", "account", name)
        of_theirs = delete(Membership).where(
            Membership.grouping == group, Membership.account.in_(wanted), ~Membership.claimed
        )
        session.execute(of_theirs)
        audit.record(session, principal.signature, "group.remove", group, {"accounts": wanted})
    return wanted


def listing(lake: Lake, group: str | None = None, *, principal: Principal) -> dict[str, list[str]]:
    """Groups with who is in them; one, or all.

    Raises
    ------
    BadInput
        When nobody is in the one that is named, or the principal is no operator.
    """
    require(principal.operator, principal, "see who is in which group")
    with transaction(lake.sessions) as session:
        found: dict[str, list[str]] = {}
        for one in session.scalars(_members(group).order_by(Membership.grouping, Membership.account)):
            names = found.setdefault(one.grouping, [])
            if one.account not in names:
                names.append(one.account)
    if group is not None and not found:
        raise _not_found("nobody is in such a group", "group", group)
    return found


def _members(group: str | None) -> Select[tuple[Membership]]:
    query = select(Membership)
    return query if group is None else query.where(Membership.grouping == group)


def _not_found(reason: str, keyword: str, name: str) -> BadInput:
    return BadInput(
        reason,
        keyword=keyword,
        found=printable(name[:64]),
        advice="heliolake account list and heliolake account group show show what there is.",
        code=Reason.NOT_FOUND,
    )
