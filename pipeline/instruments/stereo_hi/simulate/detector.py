"""From the sky to the numbers a spacecraft sends: exposure by exposure, then what is made of their sum.

Everything happens in the orientation of the CCD, as it does in flight; that
a stored image may be turned is left to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate import camera, ccd, onboard, telemetry
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.simulate.optics import response
from pipeline.quality import Quality

#: Share of the full well from which a number says nothing of the light, and lines of a column of such.
_FULL: Final = 14000.0 / camera.FULL_WELL
_LINES: Final = 5
#: A step of a track of a cosmic ray, pixels.
_TRACK_STEP: Final = 0.5


@dataclass(frozen=True)
class Exposed:
    """An image as the ground receives it, its truth, and what of it is no measurement of the sky.

    Attributes
    ----------
    data
        Level-0 numbers, int32, shape (y, x), in the orientation of the file.
    truth
        Mean DN/s per CCD pixel over the exposures, float32, north up.
    flags
        `Quality` bits of what was done to single pixels, uint16, north up.
    scrubbed
        Counts of the cosmic-ray report, one per exposure.
    """

    data: NDArray[np.int32]
    truth: NDArray[np.float32]
    flags: NDArray[np.uint16]
    scrubbed: NDArray[np.int64]


class Detector:
    """The camera of a series: its pixels stay the same from frame to frame."""

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.response = response(config)

    def expose(self, scenes: Iterator[NDArray[np.float32]], frame: int) -> Exposed:
        """The level-0 image of one frame.

        Parameters
        ----------
        scenes
            DN/s per CCD pixel of every exposure, north up; one goes before them for the scrubber.
        frame
            Number of the frame; selects its random numbers.
        """
        config = self.config
        rng = np.random.default_rng([config.seed, 3, frame])
        buffer = _Buffer(config)
        for number, scene in enumerate(scenes):
            sky = scene[::-1, ::-1] if config.turned else scene
            charge = self.charge(sky)
            hits = _add_hits(config, charge, rng)
            buffer.full |= charge > _FULL * camera.FULL_WELL * config.electrons_per_dn
            buffer.add(self._numbers(charge, rng), hits, first=number == 0)
            if number > 0:
                buffer.sky += sky
        return self._finished(buffer)

    def charge(self, sky: NDArray[np.float32]) -> NDArray[np.float32]:
        """Electrons expected in every CCD pixel when it leaves the register, in the orientation of the CCD.

        Parameters
        ----------
        sky
            DN/s per CCD pixel, in the same orientation.
        """
        config = self.config
        full = camera.FULL_WELL * config.electrons_per_dn
        rate = np.ascontiguousarray(sky * self.response) * np.float32(config.electrons_per_dn)
        charge = np.empty_like(rate)
        rest = config.exposure + camera.REST_BEYOND_EXPTIME
        ccd.after_clear(rate, config.line_clear, rest, charge)
        ccd.bleed(charge, full)
        ccd.add_readout(rate, config.line_readout, full, charge)
        return charge

    def noise(self, truth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviation that the camera leaves in a calibrated image: photons, read-out, steps.

        Parameters
        ----------
        truth
            DN/s per CCD pixel, north up.

        Returns
        -------
        numpy.ndarray
            DN/s per CCD pixel, float32, north up.
        """
        config = self.config
        size, step = config.binning, onboard.step(config)
        sky = np.repeat(np.repeat(truth[::-1, ::-1] if config.turned else truth, size, 0), size, 1)
        gain = config.electrons_per_dn
        single = self.charge(sky) / gain**2 + (camera.READ_NOISE / gain) ** 2 + 1.0 / 12.0
        variance = config.summed * _summed(single, size) + step**2 / 12.0
        rest = config.summed * (config.exposure + camera.REST_BEYOND_EXPTIME)
        sigma = np.sqrt(variance) / (rest * _summed(self.response, size))
        return np.asarray(sigma[::-1, ::-1] if config.turned else sigma, dtype=np.float32)

    def _numbers(self, charge: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        config = self.config
        noisy = config.photon_noise
        normal = rng.standard_normal(charge.shape, dtype=np.float32) if noisy else charge
        numbers = np.empty_like(charge)
        curvature = config.curvature if noisy else 0.0
        settings = (config.electrons_per_dn, camera.READ_NOISE, camera.BIAS, curvature, noisy)
        ccd.count(charge, normal, *settings, numbers)
        return numbers

    def _finished(self, buffer: _Buffer) -> Exposed:
        config = self.config
        total = onboard.without_bias(config, buffer.total)
        data, clipped = onboard.sent(config, total)
        flags = _flags(config, buffer, clipped)
        if config.kind == "s4":
            flags[-1, -config.summed - 1 :] |= np.uint16(Quality.INTERPOLATED)
            onboard.write_report(config, data, buffer.scrubbed)
        _lose_telemetry(config, data, flags)
        truth = _summed(buffer.sky, config.binning) / (config.summed * config.binning**2)
        if config.turned:
            truth, flags = truth[::-1, ::-1], flags[::-1, ::-1]
            data = data[::-1, ::-1] if config.rectified else data
        return Exposed(
            np.ascontiguousarray(data),
            np.ascontiguousarray(truth, dtype=np.float32),
            np.ascontiguousarray(flags),
            buffer.scrubbed,
        )


class _Buffer:
    """The summing buffer on board, and beside it what nobody on board knows.

    Attributes
    ----------
    total
        Sum of the exposures, DN, in pixels of the buffer.
    sky
        Sum of the scenes, CCD pixels.
    full, hit
        CCD pixels that were full, or hold charge of a cosmic ray, in any exposure.
    scrubbed
        Pixels the scrubber replaced in each exposure.
    """

    def __init__(self, config: SimulationConfig) -> None:
        side = config.ccd_pixels
        shape = (side // onboard.buffer_bin(config),) * 2
        self.config = config
        self.total = np.zeros(shape, dtype=np.float64)
        self.sky = np.zeros((side, side), dtype=np.float64)
        self.full = np.zeros((side, side), dtype=bool)
        self.hit = np.zeros((side, side), dtype=bool)
        self.scrubbed = np.zeros(config.summed, dtype=np.int64)
        self._before = np.zeros((0, 0), dtype=np.float32)
        self._added = 0

    def add(self, numbers: NDArray[np.float32], hits: NDArray[np.int64], *, first: bool) -> None:
        """Scrub an exposure and add it; the first one is only there to be compared with."""
        config, raw = self.config, numbers
        if not first:
            if config.scrub and config.kind != "n4":
                raw = numbers.copy()
                settings = (config.electrons_per_dn, camera.READ_NOISE, camera.BIAS, camera.SCRUB_THRESHOLD)
                self.scrubbed[self._added] = ccd.scrub(numbers, self._before, *settings)
            left = numbers[hits[0], hits[1]] == raw[hits[0], hits[1]]
            self.hit[hits[0][left], hits[1][left]] = True
            ccd.add_binned(numbers, onboard.buffer_bin(config), self.total)
            self._added += 1
        self._before = raw


def photon_noise(config: SimulationConfig, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation that the camera leaves in a calibrated image; see `Detector.noise`."""
    return Detector(config).noise(truth)


def _add_hits(
    config: SimulationConfig, charge: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Cosmic rays of one exposure: straight tracks, not smeared because they take no time; their (y, x)."""
    side = config.ccd_pixels
    number = int(rng.poisson(config.cosmic_rays * (side / tables.CCD_SIZE) ** 2))
    begin = rng.uniform(0.0, side, (number, 2))
    angle = rng.uniform(0.0, 2.0 * np.pi, number)
    steps = 1 + (rng.exponential(camera.HIT_LENGTH, number) / _TRACK_STEP).astype(np.int64)
    electrons = rng.exponential(camera.HIT_CHARGE * _TRACK_STEP, number)
    which = np.repeat(np.arange(number), steps)
    along = (np.arange(which.size) - np.repeat(np.cumsum(steps) - steps, steps)) * _TRACK_STEP
    y = (begin[which, 0] + along * np.sin(angle[which])).astype(np.int64)
    x = (begin[which, 1] + along * np.cos(angle[which])).astype(np.int64)
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    y, x, which = y[inside], x[inside], which[inside]
    np.add.at(charge, (y, x), electrons[which].astype(np.float32))
    charge[y, x] = np.minimum(charge[y, x], np.float32(camera.FULL_WELL * config.electrons_per_dn))
    return np.stack([y, x])


def _flags(config: SimulationConfig, buffer: _Buffer, clipped: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """What no chain can bring back; a column that ran over in more than five lines is lost as a whole."""
    full = _any(buffer.full & ~buffer.hit, config.binning) | clipped
    columns = np.count_nonzero(full, axis=0) > _LINES
    flags = np.where(_any(buffer.hit, config.binning), np.uint16(Quality.COSMIC_RAY), np.uint16(0))
    flags[full | columns] |= np.uint16(Quality.SATURATED)
    return flags


def _lose_telemetry(config: SimulationConfig, data: NDArray[np.int32], flags: NDArray[np.uint16]) -> None:
    ny, nx = data.shape
    gone = telemetry.lost(config.missing_blocks, config.compression, (ny, nx), config.binning)
    if config.half_sent:
        gone[:, : nx // 2] = True
    data[gone] = 0
    flags[gone] |= np.uint16(Quality.MISSING)


def _blocks(image: NDArray[Any], size: int) -> NDArray[Any]:
    ny, nx = image.shape
    return image.reshape(ny // size, size, nx // size, size)


def _summed(image: NDArray[Any], size: int) -> NDArray[np.float64]:
    return np.asarray(_blocks(image, size).sum(axis=(1, 3), dtype=np.float64))


def _any(image: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    return np.asarray(_blocks(image, size).any(axis=(1, 3)))
