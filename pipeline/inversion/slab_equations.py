"""A slab of constant properties above a background: its profiles and Jacobian, in compiled loops.

With the optical depth in the matrix A = e + N, of absorption ``(e, q, 0, v)`` and dispersion ``(r, 0, s)`` in
the frame whose Q lies along the field's azimuth, a background ``b`` without polarisation and a source
function ``S`` the emergent Stokes vector is ``S ê + (b − S) exp(−A) ê``. By Cayley and Hamilton N⁴ is
``D N² + W²`` with ``D = q² + v² − r² − s²`` and ``W = qr + vs``, so that (cf. Landi Degl'Innocenti & Landi
Degl'Innocenti 1985, Solar Phys. 97, 239, who have it with eigenvalues, a trouble where they vanish)::

    exp(−N) ê = (a₀ + a₂(q² + v²), −(b₀ + b₂D) q − b₂W r, a₂(vr − qs), −(b₀ + b₂D) v − b₂W s)

a₀, a₂, b₀ and b₂ are entire functions of D and W²; their power series need neither roots nor cases.
"""

from __future__ import annotations

from math import cos, exp, factorial, log, sin
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.equations import smear
from pipeline.inversion.forms import (
    AZIMUTH,
    DAMPING,
    FIELD,
    GRADIENT,
    INCLINATION,
    LIGHT,
    STRENGTH,
    SURFACE,
    VELOCITY,
    WIDTH,
    Limits,
)
from pipeline.inversion.radiation import (
    SLOPES,
    SUMS,
    Work,
    add_component,
    changes,
    clear,
    inlined,
    times,
)

F64 = NDArray[np.float64]

#: Terms of the power series: beyond 1e-10 at optical depths up to 10.
_TERMS: Final = 14
#: Coefficients of exp(−x/64), and what keeps x within their reach.
_POWERS: Final = 10
_DEEPEST: Final = 30.0
#: Difference, and ratio of differences, of background and source function below which they are one.
_ALIKE: Final = 0.02


def _series_text(*, slopes: bool) -> str:
    """The sums over h_k/(2k+m)! for m = 2…5, and with slopes over g_k/(2k+m)! for m = 4…9, written out.

    h_k are the coefficients of 1/(1 − Dt − W²t²), g_k those of its square: their sums are derivatives.
    """
    first, second = range(2, 6), range(4, 10) if slopes else range(0)
    lines = ["def series(w, d, k):", "    real = w.dtype.type", "    h0, h1 = real(0.0), real(1.0)"]
    lines += ["    g0, g1 = real(0.0), real(1.0)"] if slopes else []
    lines += [f"    a{m} = real({1 / factorial(m)!r})" for m in first]
    lines += [f"    d{m} = real({1 / factorial(m)!r})" for m in second]
    for term in range(1, _TERMS):
        lines.append("    h0, h1 = h1, d * h1 + k * h0")
        lines += ["    g0, g1 = g1, h1 + d * g1 + k * g0"] if slopes else []
        lines += [f"    a{m} += real({1 / factorial(2 * term + m)!r}) * h1" for m in first]
        lines += [f"    d{m} += real({1 / factorial(2 * term + m)!r}) * g1" for m in second]
    lines.append(f"    return {', '.join([f'a{m}' for m in first] + [f'd{m}' for m in second])}")
    return "\n".join(lines)


def _decay_text() -> str:
    """exp(−x), written out: the library's function would keep the loop around it from being vectorised."""
    lines = [
        "def decay(w, x):",
        "    real = w.dtype.type",
        f"    y = min(x, real({_DEEPEST})) * real({-1 / 64!r})",
    ]
    lines.append(f"    p = real({1 / factorial(_POWERS)!r})")
    lines += [f"    p = p * y + real({1 / factorial(n)!r})" for n in reversed(range(_POWERS))]
    lines += 6 * ["    p = p * p"] + ["    return p"]
    return "\n".join(lines)


def _made(text: str, name: str) -> Any:
    names: dict[str, Any] = {"min": min}
    exec(text, names)  # noqa: S102  # our own text
    return inlined(names[name])


_series = _made(_series_text(slopes=False), "series")
_series_and_slopes = _made(_series_text(slopes=True), "series")
_decay = _made(_decay_text(), "decay")


@inlined
def _profiles(w: Work, n: int, sums: int, p: Any, atoms: Any) -> None:
    """Sums over components, whose places and strengths are interpolated between fields."""
    real = w.dtype.type
    clear(w, sums, 3 * SUMS * n)
    per, a = 1.0 / exp(p[WIDTH]), real(exp(p[DAMPING]))
    moved = atoms.reference * p[VELOCITY] / LIGHT
    at = p[FIELD] / atoms.spacing
    node = min(int(at), atoms.nodes.shape[2] - 2)
    part = at - node
    for c in range(atoms.kind.size):
        first = sums + atoms.kind[c] * SUMS * n
        shift, strength = atoms.nodes[c, 0, node], atoms.nodes[c, 1, node]
        turn, growth = atoms.nodes[c, 0, node + 1] - shift, atoms.nodes[c, 1, node + 1] - strength
        add_component(
            atoms.x[0],
            w[first : first + SUMS * n],
            n,
            real(per),
            real(per * (shift + part * turn - moved)),
            real(turn / atoms.spacing),
            real(strength + part * growth),
            real(growth / atoms.spacing / per),
            a,
        )


@inlined
def _emergent(
    w: Work, n: int, sums: int, out: int, h: Any, sine: Any, c: Any, source: Any, level: Any, background: Any
) -> None:
    """Stokes profiles of the sums over components; `h` is τ/2."""
    one, half, s2 = w.dtype.type(1.0), w.dtype.type(0.5), sine * sine
    blue, pi, red = sums, sums + SUMS * n, sums + 2 * SUMS * n
    for i in range(n):
        hb, hp, hr = w[blue + i], w[pi + i], w[red + i]
        lb, lp, lr = w[blue + n + i], w[pi + n + i], w[red + n + i]
        hs, ls = half * (hb + hr), half * (lb + lr)
        q, v, r, s = h * s2 * (hp - hs), h * c * (hr - hb), h * s2 * (lp - ls), h * c * (lr - lb)
        squares, k = q * q + v * v, q * r + v * s
        d = squares - r * r - s * s
        a2, b3, a4, b5 = _series(w, d, k * k)
        t = one + k * k * b5 + b3 * d
        lit = (level * background[i] - source) * _decay(w, h * (hp * s2 + hs * (one + c * c)))
        w[out + i] = source + lit * (one + k * k * a4 + a2 * squares)
        w[out + n + i] = -lit * (t * q + b3 * k * r)
        w[out + 2 * n + i] = lit * a2 * (v * r - q * s)
        w[out + 3 * n + i] = -lit * (t * v + b3 * k * s)


@inlined
def slab_stokes(w: Work, form: Any, places: Any, p: Any, atoms: Any, observed: Any) -> None:
    """Stokes profiles at the wavelengths of the data."""
    n, m, smeared, stride, _, _ = form
    sums, raw, stokes = places[0], places[1], places[2]
    real = w.dtype.type
    _profiles(w, n, sums, p, atoms)
    _emergent(
        w,
        n,
        sums,
        raw if smeared else stokes,
        real(0.5 * exp(p[STRENGTH])),
        real(sin(p[INCLINATION])),
        real(cos(p[INCLINATION])),
        real(p[SURFACE]),
        real(p[GRADIENT]),
        atoms.background,
    )
    if smeared:
        smear(w, n, m, stride, observed.psf, raw, stokes, 4)


@inlined
def _row(w: Work, at: int, apart: int, t: Any, by: Any) -> None:
    """Six derivatives of one Stokes parameter at one wavelength, from those by e, q, v, r, s."""
    for k in range(SLOPES):
        b = by[k]
        w[at + k * apart] = t[0] * b[0] + t[1] * b[1] + t[2] * b[2] + t[3] * b[3] + t[4] * b[4]


@inlined
def _absorbed(w: Work, q: Any, v: Any, r: Any, s: Any) -> Any:
    """exp(−N) ê, and its derivatives by q, v, r, s: for each Stokes parameter its value, then the four."""
    one, two = w.dtype.type(1.0), w.dtype.type(2.0)
    squares, k, m = q * q + v * v, q * r + v * s, v * r - q * s
    d, k2 = squares - r * r - s * s, k * k
    a2, b3, a4, b5, g4, g5, g6, g7, g8, g9 = _series_and_slopes(w, d, k2)
    # Derivatives by D and by W² of a₀, a₂, and of b₀ + b₂D, b₂.
    t = one + k2 * b5 + b3 * d
    t_d, t_k = k2 * g7 + g5 * d + b3, b5 + k2 * g9 + g7 * d
    i_d, i_k = k2 * g6 + g4 * squares, a4 + k2 * g8 + g6 * squares
    dd = (two * q, two * v, -two * r, -two * s)
    dk = (r, s, q, v)
    twice = two * k
    zero = one - one
    intensity = (
        one + k2 * a4 + a2 * squares,
        i_d * dd[0] + twice * i_k * dk[0] + two * a2 * q,
        i_d * dd[1] + twice * i_k * dk[1] + two * a2 * v,
        i_d * dd[2] + twice * i_k * dk[2],
        i_d * dd[3] + twice * i_k * dk[3],
    )
    dm = (-s, r, v, -q)
    third = (
        a2 * m,
        g4 * m * dd[0] + twice * g6 * m * dk[0] + a2 * dm[0],
        g4 * m * dd[1] + twice * g6 * m * dk[1] + a2 * dm[1],
        g4 * m * dd[2] + twice * g6 * m * dk[2] + a2 * dm[2],
        g4 * m * dd[3] + twice * g6 * m * dk[3] + a2 * dm[3],
    )
    sums, by = (t, t_d, t_k, b3, g5, g7, k), (dd, dk)
    second = _dichroic(q, r, (one, zero, zero, zero), (zero, zero, one, zero), sums, by)
    fourth = _dichroic(v, s, (zero, one, zero, zero), (zero, zero, zero, one), sums, by)
    return intensity, second, third, fourth


@inlined
def _dichroic(x: Any, y: Any, own: Any, other: Any, sums: Any, by: Any) -> Any:
    """−(t x + b k y), of which x and y are absorption and dispersion, and its derivatives."""
    t, t_d, t_k, b, b_d, b_k, k = sums
    dd, dk = by
    by_d, by_k = t_d * x + b_d * k * y, (t_k * x + b_k * k * y) * (k + k) + b * y
    return (
        -(t * x + b * k * y),
        -(by_d * dd[0] + by_k * dk[0] + t * own[0] + b * k * other[0]),
        -(by_d * dd[1] + by_k * dk[1] + t * own[1] + b * k * other[1]),
        -(by_d * dd[2] + by_k * dk[2] + t * own[2] + b * k * other[2]),
        -(by_d * dd[3] + by_k * dk[3] + t * own[3] + b * k * other[3]),
    )


@inlined
def _slopes(
    w: Work,
    n: int,
    sums: int,
    out: int,
    apart: int,
    h: Any,
    sine: Any,
    c: Any,
    source: Any,
    level: Any,
    a: Any,
    per: Any,
    speed: Any,
    background: Any,
) -> None:
    """Derivatives by B, γ, v, ln Δ, ln τ, ln a; then, a place left for χ, by S and the background's level."""
    one = w.dtype.type(1.0)
    zero = one - one
    for i in range(n):
        x, by = changes(w, n, sums, i, h, sine, c, a, per, speed)
        every = (by[0], by[1], by[2], by[3], x, by[4])
        rows = _absorbed(w, x[1], x[2], x[3], x[4])
        left = _decay(w, x[0])
        lit = left * (level * background[i] - source)
        for stokes in range(4):
            row, at = rows[stokes], out + stokes * n + i
            _row(w, at, apart, times(lit, (-row[0], row[1], row[2], row[3], row[4])), every)
            w[at + 7 * apart] = (one if stokes == 0 else zero) - left * row[0]
            w[at + 8 * apart] = left * background[i] * row[0]


@inlined
def slab_jacobian(w: Work, form: Any, places: Any, p: Any, atoms: Any, observed: Any) -> None:
    """Derivatives, at the data's wavelengths, of what `slab_stokes` computed last; that by χ is missing."""
    n, m, smeared, stride, _, _ = form
    sums, raw, columns = places[0], places[1], places[3]
    real = w.dtype.type
    per = 1.0 / exp(p[WIDTH])
    _slopes(
        w,
        n,
        sums,
        raw + 4 * n if smeared else columns,
        4 * n,
        real(0.5 * exp(p[STRENGTH])),
        real(sin(p[INCLINATION])),
        real(cos(p[INCLINATION])),
        real(p[SURFACE]),
        real(p[GRADIENT]),
        real(exp(p[DAMPING])),
        real(per),
        real(-per * atoms.reference / LIGHT),
        atoms.background,
    )
    if smeared:
        smear(w, n, m, stride, observed.psf, raw + 4 * n, columns, 4 * SLOPES)
        smear(w, n, m, stride, observed.psf, raw + 4 * n * (SURFACE + 1), columns + 4 * m * SURFACE, 8)


@inlined
def slab_weighted(w: Work, form: Any, places: Any) -> None:
    """The Jacobian completed by the azimuth, and in units of the noise."""
    m = form[1]
    stokes, columns, weights = places[2], places[3], places[5]
    real = w.dtype.type
    apart, zero, two = 4 * m, real(0.0), real(2.0)
    chi = columns + AZIMUTH * apart
    for i in range(m):
        w[chi + i], w[chi + 3 * m + i] = zero, zero
        w[chi + m + i], w[chi + 2 * m + i] = -two * w[stokes + 2 * m + i], two * w[stokes + m + i]
        wi, wq, wv = w[weights + i], w[weights + m + i], w[weights + 2 * m + i]
        for k in range(9):
            at = columns + k * apart + i
            w[at] *= wi
            w[at + m] *= wq
            w[at + 2 * m] *= wq
            w[at + 3 * m] *= wv


@inlined
def along_valley(w: Work, form: Any, places: Any, p: Any, limits: Any) -> None:
    """Derivatives by S and by the background's level become those at a constant product (b − S) τ.

    A thin line knows only this product: steps along it would have to be short, were they straight in S and
    in ln τ. `kept_depth` makes up for it in the step.
    """
    m = form[1]
    columns = places[3]
    apart = 4 * m
    depth, source, level = columns + STRENGTH * apart, columns + SURFACE * apart, columns + GRADIENT * apart
    share = w.dtype.type(_turn(p, limits))
    for i in range(apart):
        w[source + i] += share * w[depth + i]
        w[level + i] -= share * w[depth + i]


@inlined
def _turn(p: Any, limits: Any) -> float:
    """Change of ln τ with S at a constant product; 0 where τ is held, or S is like the background."""
    apart = p[GRADIENT] - p[SURFACE]
    return 1.0 / apart if abs(apart) > _ALIKE and not limits.fixed[STRENGTH] else 0.0


@inlined
def kept_depth(p: Any, trial: Any, limits: Any) -> None:
    """The optical depth of a step of `along_valley`, within its bounds."""
    before, behind = p[GRADIENT] - p[SURFACE], trial[GRADIENT] - trial[SURFACE]
    if _turn(p, limits) != 0.0 and behind / before > _ALIKE:
        deeper = trial[STRENGTH] - log(behind / before)
        trial[STRENGTH] = min(max(deeper, limits.lower[STRENGTH]), limits.upper[STRENGTH])


def off_valley(p: F64, limits: Limits, covariance: F64) -> F64:
    """Covariances of S, the level and ln τ from those of fits along the valley; one row a pixel."""
    apart = p[:, GRADIENT] - p[:, SURFACE]
    along = (np.abs(apart) > _ALIKE) & (not limits.fixed[STRENGTH])
    share = np.where(along, 1.0, 0.0) / np.where(along, apart, 1.0)
    made = covariance.copy()
    made[:, STRENGTH] += share[:, None] * (made[:, SURFACE] - made[:, GRADIENT])
    made[:, :, STRENGTH] += share[:, None] * (made[:, :, SURFACE] - made[:, :, GRADIENT])
    return made
