"""What the demonstration shows of one frame: before, after, difference, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from heliolake.demo.sky import Sky, sky_of

Stretch = Literal["sqrt", "log", "linear", "symmetric"]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Panel:
    """One image with all that is needed to draw it.

    Attributes
    ----------
    title, caption
        What it is, and what a person should see in it.
    image
        (y, x); NaN where there is nothing to show.
    unit
        Of its values.
    limits
        Values drawn darkest and brightest.
    stretch
        How values become brightness between the limits.
    colours
        Name of a Matplotlib colour map.
    sky
        Where it lies on the sky, where its header tells.
    """

    title: str
    image: Image
    unit: str
    limits: tuple[float, float]
    stretch: Stretch
    colours: str
    caption: str = ""
    sky: Sky | None = None


@dataclass(frozen=True)
class Profile:
    """A cut through the images, as lines.

    Attributes
    ----------
    lines
        Values along the cut by label.
    """

    title: str
    lines: Mapping[str, NDArray[np.floating]]
    unit: str
    along: str
    caption: str = ""


@dataclass(frozen=True)
class Story:
    """One frame told in panels.

    Attributes
    ----------
    heading, subheading
        What was observed, and the file and product it became.
    text
        What was done, in a few sentences.
    panels
        Before, after, difference.
    proof
        What shows that it is right: a residual or a profile.
    measure
        A number with its meaning, '' where there is none.
    simulated
        Whether the frame comes from a model.
    """

    heading: str
    subheading: str
    text: str
    panels: tuple[Panel, Panel, Panel]
    proof: Panel | Profile
    measure: str = ""
    simulated: bool = False


class Made(NamedTuple):
    """A product: its name, image and header."""

    name: str
    image: Image
    header: fits.Header


@dataclass(frozen=True)
class Shown:
    """A frame before and after its recipe.

    Attributes
    ----------
    name
        Name of the raw file.
    product
        ``PRODUCT@vNNNN`` it became part of.
    before, after
        Images (y, x) of one shape, as they lie in the files.
    quality
        Flags of the image behind the recipe.
    before_header, after_header
        Their headers.
    """

    name: str
    product: str
    before: Image
    after: Image
    quality: NDArray[np.uint16]
    before_header: fits.Header
    after_header: fits.Header


@dataclass(frozen=True)
class Truth:
    """What a simulated frame should have become.

    Attributes
    ----------
    image
        (y, x), in the unit of the product.
    noise
        What the camera's noise leaves in it, one standard deviation, same unit.
    """

    image: Image
    noise: Image


def aia_story(shown: Shown) -> Story:
    """An AIA frame before and after registration, both in DN/s."""
    exposure = float(shown.before_header.get("EXPTIME", 1.0))
    before = shown.before / np.float32(exposure)
    after = shown.after
    limits = _range(after, 0.5, 99.7)
    limits = (max(limits[0], 0.0), limits[1])
    wave = shown.before_header.get("WAVELNTH", 171)
    colours = f"sdoaia{wave}"
    change = after - before
    old, new = (_scale(header) for header in (shown.before_header, shown.after_header))
    angle = float(shown.before_header.get("CROTA2", 0.0))
    old_sky, new_sky = _skies(shown)
    row = after.shape[0] // 2
    centred = float(shown.after_header.get("CRPIX1", 0)) == (after.shape[1] + 1) / 2
    place = (
        "Sun's centre moved to the middle of the image" if centred else "put on the grid of full-disk images"
    )
    as_it_came, registered = (
        "as it came, divided by its exposure time",
        "north up, at the camera's nominal scale",
    )
    return Story(
        heading=f"SDO/AIA {wave} Å",
        subheading=f"{shown.name} → {shown.product}",
        text=(
            f"A real frame of {_minute(shown.before_header)} UTC. "
            f"Registered: rotated by {angle:+.3f}°, scaled from {old:.4g}″ to {new:.4g}″ a pixel, "
            f"{place}; divided by the exposure time."
        ),
        panels=(
            Panel("before: level 1", before, "DN/s", limits, "sqrt", colours, as_it_came, old_sky),
            Panel("after: level 1.5", after, "DN/s", limits, "sqrt", colours, registered, new_sky),
            Panel(
                "difference",
                change,
                "DN/s",
                _symmetric(change, 99.0),
                "symmetric",
                "berlin",
                "what moved: edges turn blue on one side and red on the other",
                new_sky,
            ),
        ),
        proof=Profile(
            f"cut along row {row}",
            {"before": before[row], "after": after[row]},
            "DN/s",
            "pixel",
            "the same Sun, moved by a fraction of a pixel",
        ),
    )


def hi_story(shown: Shown, truth: Truth | None) -> Story:
    """A HI frame before and after the de-smear, on one scale; against truth where that is known."""
    after = shown.after
    before = (shown.before * np.float32(unsmeared_scale(shown.before, after))).astype(np.float32)
    change = before - after
    header = shown.before_header
    spacecraft = str(header.get("OBSRVTRY", ""))[-1:]
    camera = f"STEREO-{spacecraft} {header.get('DETECTOR', 'HI')}"
    difference = Panel(
        "difference: what was taken away",
        change,
        "DN/s",
        (0.0, _range(change, 0.5, 99.5)[1]),
        "sqrt",
        "inferno",
        "the smear: light that every line collects while it is moved past the others, brightest along the "
        "columns of bright sources",
        _skies(shown)[1],
    )
    if truth is None:
        return _real_hi(shown, camera, before, difference)
    return _simulated_hi(shown, camera, before, difference, truth)


def _simulated_hi(shown: Shown, camera: str, before: Image, difference: Panel, truth: Truth) -> Story:
    sky = smooth_corona(shown.after)
    low, high = 100 * (before / sky - 1), 100 * (shown.after / sky - 1)
    limits = (-6.0, 28.0)
    unit = "% above the smooth corona"
    veiled = (
        "raw: brightened by the smear towards one end of the columns, the planet's trail across its column"
    )
    clear = "stars, streamers and the front of the ejection on a flat sky; grey: saturated columns, flagged"
    residual, number, outliers = residual_in_noise(shown, truth)
    old_sky, new_sky = _skies(shown)
    return Story(
        heading=f"{camera}, simulated",
        subheading=f"{shown.name} → {shown.product}",
        text=(
            "A forward model with known truth: stars, F-corona, a coronal mass ejection, a planet that "
            "saturates its columns, cosmic rays, noise, an uneven response, and the smear of a camera "
            "without shutter, exposure by exposure. The recipe sees only the FITS file and the camera's "
            "flat field. For display only, both images are divided by the same smooth corona."
        ),
        panels=(
            Panel("before: level 0", low, unit, limits, "linear", "stereohi1", veiled, old_sky),
            Panel("after: level 1", high, unit, limits, "linear", "stereohi1", clear, new_sky),
            difference,
        ),
        proof=Panel(
            "level 1 − truth",
            residual,
            "standard deviations of the camera's noise",
            (-4.0, 4.0),
            "symmetric",
            "RdBu_r",
            "nothing but noise: no trail, no star, no gradient is left outside flagged pixels",
            new_sky,
        ),
        measure=(
            f"residual {number:.2f} × the camera's noise (root mean square where no pixel is flagged or was "
            f"hit by a cosmic ray; 1.00 is the best there can be; {outliers:.2%} of the pixels beyond 5)"
        ),
        simulated=True,
    )


def residual_in_noise(shown: Shown, truth: Truth) -> tuple[Image, float, float]:
    """Level 1 minus truth in units of the camera's noise.

    Returns
    -------
    image, number, outliers
        The residual (NaN where flagged), its root mean square, and the share of unflagged pixels beyond 5.
    """
    usable = (shown.quality == 0) & np.isfinite(shown.after) & (truth.noise > 0)
    residual = np.full(shown.after.shape, np.nan, dtype=np.float32)
    residual[usable] = (shown.after[usable] - truth.image[usable]) / truth.noise[usable]
    values = residual[usable].astype(np.float64)
    return residual, float(np.sqrt(np.mean(values**2))), float(np.mean(np.abs(values) > 5))


def _real_hi(shown: Shown, camera: str, before: Image, difference: Panel) -> Story:
    limits = _range(shown.after, 1.0, 99.7)
    bright = np.where(np.isfinite(shown.after), shown.after, -np.inf)
    column = int(np.unravel_index(int(np.argmax(bright)), bright.shape)[1])
    old_sky, new_sky = _skies(shown)
    return Story(
        heading=f"{camera}, real",
        subheading=f"{shown.name} → {shown.product}",
        text=(
            f"A real frame of {_minute(shown.before_header)} UTC, as it came down "
            "through the spacecraft's beacon. On-board coding undone, lines that were never sent flagged, "
            "smear removed, DN per second and CCD pixel."
        ),
        panels=(
            Panel(
                "before: level 0",
                before,
                "DN/s",
                limits,
                "log",
                "stereohi1",
                "raw, brought to the scale of level 1",
                old_sky,
            ),
            Panel(
                "after: level 1",
                shown.after,
                "DN/s",
                limits,
                "log",
                "stereohi1",
                "smear gone; grey: never sent or saturated",
                new_sky,
            ),
            difference,
        ),
        proof=Profile(
            f"cut along column {column}",
            {"before": before[:, column], "after": shown.after[:, column]},
            "DN/s",
            "row",
            "the column of the brightest pixel, before and after",
        ),
    )


def unsmeared_scale(before: Image, after: Image) -> float:
    """The factor that brings a smeared image to the scale of the de-smeared one.

    Every pixel of a smeared column is its own light and a share of what lies above and below it, so the raw
    image is fitted by the de-smeared one and its running sums along the columns; the factor makes the
    pixel's own share 1.
    """
    filled = np.nan_to_num(after.astype(np.float64))
    below = np.cumsum(filled, axis=0) - filled
    above = filled.sum(axis=0) - below - filled
    usable = np.isfinite(after) & np.isfinite(before)
    usable &= np.isfinite(after).mean(axis=0) > 0.9  # sums over columns with holes would mislead
    if not usable.any():
        usable = np.isfinite(after) & np.isfinite(before)
    columns = np.stack([filled[usable], below[usable], above[usable], np.ones(int(usable.sum()))], axis=1)
    own = np.linalg.lstsq(columns, before[usable].astype(np.float64), rcond=None)[0][0]
    return float(1.0 / own) if own > 0 else 1.0


def smooth_corona(image: Image) -> Image:
    """A polynomial surface through the logarithm of an image's medians on a coarse grid."""
    from numpy.polynomial import chebyshev

    blocks, degree = 48, 8
    rows, columns = (np.array_split(np.arange(size), blocks) for size in image.shape)
    medians = np.array([[_median(image[np.ix_(row, column)]) for column in columns] for row in rows])
    centres = [
        np.array([2 * block.mean() / (size - 1) - 1 for block in parts])
        for parts, size in zip((rows, columns), image.shape, strict=True)
    ]
    y, x = np.meshgrid(*centres, indexing="ij")
    usable = np.isfinite(medians) & (medians > 0)
    basis = chebyshev.chebvander2d(y[usable], x[usable], (degree, degree))
    fitted = np.linalg.lstsq(basis, np.log(medians[usable]), rcond=None)[0].reshape(degree + 1, degree + 1)
    along_y, along_x = (np.linspace(-1, 1, size) for size in image.shape)
    return np.asarray(np.exp(chebyshev.chebgrid2d(along_y, along_x, fitted)), dtype=np.float32)


def _median(values: Image) -> float:
    held = values[np.isfinite(values)]
    return float(np.median(held)) if held.size else float("nan")


def _range(image: Image, low: float, high: float) -> tuple[float, float]:
    lower, upper = np.nanpercentile(image, (low, high))
    return float(lower), float(upper if upper > lower else lower + 1)


def _symmetric(image: Image, share: float) -> tuple[float, float]:
    reach = float(np.nanpercentile(np.abs(image), share)) or 1.0
    return -reach, reach


def _skies(shown: Shown) -> tuple[Sky | None, Sky | None]:
    """Where the image lies on the sky, as the header before and the header after says."""
    return sky_of(shown.before_header, shown.before.shape), sky_of(shown.after_header, shown.after.shape)


def _minute(header: fits.Header) -> str:
    return str(header.get("DATE-OBS", ""))[:16].replace("T", " ")


def _scale(header: fits.Header) -> float:
    return abs(float(header.get("CDELT1", 0.0)))
