"""Releases for `xarray.open_dataset("lake:PRODUCT", engine="heliolake")`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xarray.backends import BackendEntrypoint

if TYPE_CHECKING:
    import xarray as xr

_PREFIX = "lake:"


class HeliolakeEntrypoint(BackendEntrypoint):  # type: ignore[misc]
    """Opens what ``lake:`` names: ``lake:PRODUCT`` or ``lake:PRODUCT@vNNNN`` of a home whose services run."""

    description = "Releases of Heliolake, lazily: lake:PRODUCT"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "home",
        "shape",
        "frames_per_block",
        "uncertainty",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        home: Path | str | None = None,
        account: str | None = None,
        shape: Any = None,
        frames_per_block: int = 1,
        uncertainty: bool = False,
    ) -> xr.Dataset:
        """The frames of a release along time.

        Parameters
        ----------
        filename_or_obj
            ``lake:PRODUCT``; without a version the ACTIVE release.
        drop_variables
            Names of variables to leave out.
        home
            Folder of the home; else ``HELIOLAKE_HOME``, else ``~/.heliolake``.
        account
            As for `heliolake.connect`.
        shape, frames_per_block, uncertainty
            As for `heliolake.Observation.stack`.

        Raises
        ------
        lake.errors.BadInput
            When there is no such release.
        lake.errors.Unreachable
            When the services of the home do not run.
        """
        from heliolake.notebook import connect

        product = str(filename_or_obj).removeprefix(_PREFIX)
        with connect(home, account) as lake:
            stack = lake.product(product).stack(
                shape, frames_per_block=frames_per_block, uncertainty=uncertainty
            )
        dropped = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        return stack.drop_vars(dropped, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether it is a name of ours."""
        return isinstance(filename_or_obj, str) and filename_or_obj.startswith(_PREFIX)
