"""Names that the page and whoever starts a scheduler agree on."""

from __future__ import annotations

from typing import Final

#: Variables: the home whose lake is shown, and of which of its sites the scheduler is. A path is no secret.
VARIABLE: Final = "HELIOLAKE_BOARD"
SITE: Final = "HELIOLAKE_BOARD_SITE"
#: Module of the process that makes pictures: comes and goes.
PAINTER: Final = "cluster.board.paint"
