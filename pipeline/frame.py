"""A frame: one image, spectrum or cube on its way through the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.dims import IMAGE, Dims, written
from pipeline.errors import BadInput
from pipeline.read_only import read_only

T = TypeVar("T", int, float, str, bool)
_REQUIRED: Final = object()


@dataclass(frozen=True)
class Frame:
    """One observation with its flags of quality and its header.

    Attributes
    ----------
    data
        Values, float32, one axis for each of `dims`, in the unit the header's ``BUNIT`` names.
    quality
        `Quality` bits, uint16, over all dims or the last of them: one plane (y, x) may stand for all
        wavelengths.
    header
        The FITS header; a step changes a copy of it.
    source
        Name of the file the frame came from, for messages.
    caveats
        Sentences a user of the result should read; they follow the frame
        into its outcome and its header.
    modes
        Words of the step at work for its ``PRMODEn``: in which way it did its
        work other than fully.
    uncertainty
        One standard deviation of `data`, float32, same shape, in the same
        unit; NaN where it is not known. `None` unless the recipe asks for it.
    dims
        Names of the axes, the slowest first: ``(y, x)`` for an image, ``(stokes, wavelength, y, x)`` …
    outputs
        Further frames that steps made beside this one, by name.
    """

    data: NDArray[np.float32]
    quality: NDArray[np.uint16]
    header: fits.Header
    source: str = ""
    caveats: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    uncertainty: NDArray[np.float32] | None = None
    dims: Dims = IMAGE
    outputs: Mapping[str, Frame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.data.shape
        if len(shape) != len(self.dims):
            raise BadInput(
                f"the data do not have the {len(self.dims)} axes {written(self.dims)}",
                file=self.source,
                keyword="NAXIS",
                found=str(shape),
                advice="name the axes: dims=(...), the slowest first",
            )
        if not self.quality.ndim or self.quality.shape != shape[len(shape) - self.quality.ndim :]:
            raise BadInput(
                "the flags of quality have neither the shape of the data nor that of their last axes",
                file=self.source,
                keyword="NAXIS",
                found=f"{shape} and {self.quality.shape}",
            )
        if self.uncertainty is not None and self.uncertainty.shape != self.data.shape:
            raise BadInput(
                "the image and its uncertainty do not have one shape",
                file=self.source,
                keyword="NAXIS",
                found=f"{self.data.shape} and {self.uncertainty.shape}",
            )

    @classmethod
    def of(cls, data: NDArray[Any], header: fits.Header, source: str = "", *, dims: Dims = IMAGE) -> Frame:
        """A frame of data of any number type, with nothing flagged."""
        return cls(
            data=np.asarray(data, dtype=np.float32),
            quality=np.zeros(np.shape(data), dtype=np.uint16),
            header=header,
            source=source,
            dims=dims,
        )

    def replace(
        self,
        *,
        data: NDArray[Any] | None = None,
        quality: NDArray[Any] | None = None,
        header: fits.Header | None = None,
        uncertainty: NDArray[Any] | None = None,
        dims: Dims | None = None,
    ) -> Frame:
        """The same frame with some of its parts exchanged; what is not given stays as it is."""
        return dataclasses.replace(
            self,
            data=self.data if data is None else np.asarray(data, dtype=np.float32),
            quality=self.quality if quality is None else np.asarray(quality, dtype=np.uint16),
            header=self.header if header is None else header,
            uncertainty=(
                self.uncertainty if uncertainty is None else np.asarray(uncertainty, dtype=np.float32)
            ),
            dims=self.dims if dims is None else dims,
        )

    def uncertainty_times(self, factor: float | NDArray[Any]) -> NDArray[np.float32] | None:
        """The uncertainty of ``data * factor``, for a factor without noise; `None` where there is none.

        Parameters
        ----------
        factor
            One number, or one for each value of `data`; its sign does not matter.
        """
        if self.uncertainty is None:
            return None
        return np.asarray(self.uncertainty * np.abs(np.asarray(factor, dtype=np.float32)), dtype=np.float32)

    def shielded(self) -> Frame:
        """The same frame as it is handed to a step: arrays that cannot be written to, a header of its own.

        The arrays are views of the same memory; nothing is copied but the header.
        """
        plane = self.uncertainty
        return dataclasses.replace(
            self,
            data=read_only(self.data),
            quality=read_only(self.quality),
            uncertainty=None if plane is None else read_only(plane),
            header=self.header.copy(),
        )

    def without_uncertainty(self) -> Frame:
        """The same frame without its uncertainty."""
        return self if self.uncertainty is None else dataclasses.replace(self, uncertainty=None)

    def with_caveat(self, sentence: str, *, mode: str = "") -> Frame:
        """The same frame with one more caveat (once), and a word for the step's ``PRMODEn``."""
        caveats = self.caveats if sentence in self.caveats else (*self.caveats, sentence)
        modes = self.modes if mode in ("", *self.modes) else (*self.modes, mode)
        return dataclasses.replace(self, caveats=caveats, modes=modes)

    def with_output(self, name: str, output: Frame) -> Frame:
        """The same frame with a further one that the step at work made beside it.

        Parameters
        ----------
        name
            As the step's decorator announces it in `outputs`.
        output
            With a header of its own, made of a copy of this one's.
        """
        return dataclasses.replace(self, outputs={**self.outputs, name: output})

    def keyword(self, name: str, kind: type[T], default: T | object = _REQUIRED) -> T:
        """The value of a header keyword, of the type asked for.

        Parameters
        ----------
        name
            FITS keyword.
        kind
            `int`, `float`, `str` or `bool`; an integer is accepted as float.
        default
            Returned when the keyword is absent or has no value.

        Raises
        ------
        BadInput
            When the keyword is absent and no default is given, or when its
            value is of another type or not finite.
        """
        value = self.header.get(name)
        if value is None or isinstance(value, fits.card.Undefined):
            if default is not _REQUIRED:
                return default  # type: ignore[return-value]  # the caller's default has the type asked for
            raise BadInput(
                f"the header has no {name}",
                file=self.source,
                keyword=name,
                found="absent" if name not in self.header else "no value",
                advice=f"fetch the file again from its archive, or add {name} to the header and ingest it "
                "under a new name",
            )
        return _converted(value, kind, name, self.source)


def with_primary(header: fits.Header, primary: fits.Header) -> fits.Header:
    """The header of an extension's image, completed by what only the file's primary header says."""
    result = header.copy()
    result.extend(primary, unique=True, update=False, strip=True)
    return result


def _converted(value: Any, kind: type[T], name: str, source: str) -> T:
    try:
        if kind is bool:
            if isinstance(value, (bool, np.bool_)):
                return kind(value)
        elif kind is str:
            return kind(str(value).strip())
        elif not isinstance(value, (bool, np.bool_)):
            number = float(value)
            if np.isfinite(number) and (kind is float or number == int(number)):
                return kind(number)
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = {int: "a whole number", float: "a finite number", str: "text", bool: "T or F"}[kind]
    raise BadInput(
        f"{name} should be {wanted}",
        file=source,
        keyword=name,
        found=repr(value),
        advice="correct the header",
    )
