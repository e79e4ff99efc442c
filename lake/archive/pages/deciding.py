"""Decisions that are taken on pages: what was sent, what is asked once more, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from lake.archive import sessions
from lake.archive.links import root_of
from lake.archive.pages.rendering import page
from lake.archive.problems import status_of
from lake.errors import BadInput, Reason
from lake.governance.policy import Action, Principal, Scope, Terms, may

Sent = Mapping[str, Sequence[str]]
_SEE_OTHER: Final = 303
_OWN: Final = ("mark", "sure")


def one(sent: Sent, name: str) -> str:
    """What was written into a field; '' where nothing was."""
    return sent.get(name, [""])[0].strip()


def is_sure(sent: Sent) -> bool:
    """Whether it was asked once more, and answered."""
    return one(sent, "sure") == "yes"


def moment(text: str) -> datetime:
    """A time that was written into a field, taken as UTC where it has no zone.

    Raises
    ------
    BadInput
        When it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{text!r} is not a time" if text else "the time is missing",
            advice="write it as 2027-06-01 or 2027-06-01T12:00, in UTC",
            code=Reason.BAD_KEYWORD,
        ) from error


def unknown(what: str) -> BadInput:
    """What is told of a form that asks for something no page of ours asks for."""
    return BadInput("there is no such decision", keyword="what", found=what, code=Reason.BAD_KEYWORD)


def hindrance(principal: Principal, instrument: str) -> str:
    """Why somebody does not decide about an instrument; '' where the policy lets them.

    Parameters
    ----------
    principal
        Who looks.
    instrument
        Its name; '' for all.
    """
    if may(principal, Action.CURATE, Terms("ACTIVE", scope=instrument), datetime.now(UTC)):
        return ""
    if Scope.CURATE not in principal.scopes and principal.curator_of(instrument):
        return (
            "You are signed in with a token that is good for looking alone. To decide, sign in with one "
            "that is made for it: heliolake account token make NAME --scope read --scope curate"
        )
    about = f"about {instrument}" if instrument else "about all instruments at once"
    return f"You look at this, and others decide {about}: its curators."


def require(principal: Principal, instrument: str) -> None:
    """Refuse who does not decide, before anything is asked once more.

    Raises
    ------
    BadInput
        With code not-allowed.
    """
    if why := hindrance(principal, instrument):
        raise BadInput(why, code=Reason.NOT_ALLOWED)


def confirmed(
    request: Request, sent: Sent, question: str, said: Sequence[str], button: str, back: str
) -> HTMLResponse:
    """Ask once more before what nobody can take back; the same form comes again, with a yes.

    Parameters
    ----------
    request, sent
        What was asked.
    question, said, button
        What is about to happen, what that means, and what the button says.
    back
        Where the way back leads, below the root.
    """
    fields = [(name, value) for name, values in sent.items() if name not in _OWN for value in values]
    return page(
        request,
        "confirm.html",
        form=True,
        question=question,
        said=said,
        button=button,
        fields=fields,
        back=back,
    )


def done(request: Request, where: str, said: str) -> RedirectResponse:
    """Lead on to a page below the root, which says what came of it."""
    answer = RedirectResponse(f"{root_of(request)}{where}", _SEE_OTHER)
    sessions.tell(request, answer, said)
    return answer


def status(mistake: BadInput | None) -> int:
    """Of a page that is shown once more, with what was wrong with the form."""
    if mistake is None:
        return 200
    return 400 if mistake.code is Reason.BAD_NAME else status_of(mistake)
