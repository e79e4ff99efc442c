"""One pixel's profiles, residuals, Jacobian and normal equations, in a flat array (see `radiation`)."""

from __future__ import annotations

from math import cos, exp, sin
from typing import Any

from pipeline.inversion.forms import (
    AZIMUTH,
    DAMPING,
    FIELD,
    GRADIENT,
    INCLINATION,
    LIGHT,
    STRENGTH,
    SURFACE,
    UNKNOWNS,
    VELOCITY,
    WIDTH,
)
from pipeline.inversion.radiation import (
    SLOPES,
    SUMS,
    Work,
    add_component,
    add_slopes,
    add_stokes,
    clear,
    inlined,
)


@inlined
def _profiles(w: Work, n: int, sums: int, p: Any, atoms: Any) -> None:
    """Sums over components of the profiles for the unknowns `p`."""
    real = w.dtype.type
    clear(w, sums, 3 * SUMS * n)
    per, a = 1.0 / exp(p[WIDTH]), real(exp(p[DAMPING]))
    moved = atoms.reference * p[VELOCITY] / LIGHT
    for c in range(atoms.line.size):
        line, first = atoms.line[c], sums + atoms.kind[c] * SUMS * n
        add_component(
            atoms.x[line],
            w[first : first + SUMS * n],
            n,
            real(per * atoms.narrow[line]),
            real(per * (atoms.per_gauss[c] * p[FIELD] - moved)),
            real(atoms.per_gauss[c]),
            real(atoms.strength[c]),
            real(0.0),
            a,
        )


@inlined
def smear(w: Work, n: int, m: int, stride: int, psf: Any, given: int, out: int, rows: int) -> None:
    """Rows of the model's wavelengths seen through the spectral PSF at those of the data."""
    clear(w, out, rows * m)
    for row in range(rows):
        source, target = w[given + row * n : given + (row + 1) * n], w[out + row * m : out + (row + 1) * m]
        for t in range(psf.size):
            share = psf[t]
            for i in range(m):
                target[i] += share * source[i * stride + t]


@inlined
def _half(p: Any) -> float:
    return 0.5 * exp(p[STRENGTH])


@inlined
def stokes(w: Work, form: Any, places: Any, p: Any, atoms: Any, observed: Any) -> None:
    """Stokes profiles at the wavelengths of the data."""
    n, m, smeared, stride, _, _ = form
    sums, raw, stokes = places[0], places[1], places[2]
    real = w.dtype.type
    _profiles(w, n, sums, p, atoms)
    sine, cosine = real(sin(p[INCLINATION])), real(cos(p[INCLINATION]))
    at = raw if smeared else stokes
    add_stokes(w, n, sums, at, real(_half(p)), sine * sine, cosine, real(p[SURFACE]), real(p[GRADIENT]))
    if smeared:
        smear(w, n, m, stride, observed.psf, raw, stokes, 4)


@inlined
def jacobian(w: Work, form: Any, places: Any, p: Any, atoms: Any, observed: Any) -> None:
    """Derivatives by the first six unknowns, at the data's wavelengths, of what `stokes` computed last."""
    n, m, smeared, stride, _, _ = form
    sums, raw, columns = places[0], places[1], places[3]
    real = w.dtype.type
    per = 1.0 / exp(p[WIDTH])
    add_slopes(
        w,
        n,
        sums,
        raw + 4 * n if smeared else columns,
        4 * n,
        real(_half(p)),
        real(sin(p[INCLINATION])),
        real(cos(p[INCLINATION])),
        real(p[GRADIENT]),
        real(exp(p[DAMPING])),
        real(per),
        real(-per * atoms.reference / LIGHT),
    )
    if smeared:
        smear(w, n, m, stride, observed.psf, raw + 4 * n, columns, 4 * SLOPES)


@inlined
def residual(w: Work, form: Any, places: Any, p: Any, share: Any) -> float:
    """Weighted differences of data and model in the frame of the model's azimuth; their sum of squares."""
    m, unknowns = form[1], form[4]
    stokes, columns, data, weights, stray = places[2], places[3], places[4], places[5], places[6]
    real = w.dtype.type
    c, s = real(cos(2.0 * p[AZIMUTH])), real(sin(2.0 * p[AZIMUTH]))
    one, total = real(1.0), real(0.0)
    out = columns + unknowns * 4 * m
    for i in range(m):
        q, u = w[data + m + i], w[data + 2 * m + i]
        intensity = share * w[stokes + i] + (one - share) * w[stray + i]
        di = w[weights + i] * (w[data + i] - intensity)
        dq = w[weights + m + i] * (c * q + s * u - share * w[stokes + m + i])
        du = w[weights + m + i] * (c * u - s * q - share * w[stokes + 2 * m + i])
        dv = w[weights + 2 * m + i] * (w[data + 3 * m + i] - share * w[stokes + 3 * m + i])
        w[out + i], w[out + m + i], w[out + 2 * m + i], w[out + 3 * m + i] = di, dq, du, dv
        total += di * di + dq * dq + du * du + dv * dv
    return float(total)


@inlined
def weighted(w: Work, form: Any, places: Any, p: Any, share: Any) -> None:
    """The Jacobian completed by azimuth, S₀, S₁ and α, and in units of the noise."""
    m, unknowns = form[1], form[4]
    stokes, columns, weights, stray = places[2], places[3], places[5], places[6]
    real = w.dtype.type
    two, surface, per = real(2.0), real(p[SURFACE]), real(1.0) / real(p[GRADIENT])
    apart = 4 * m
    chi, s0, s1, alpha = columns + 6 * apart, columns + 7 * apart, columns + 8 * apart, columns + 9 * apart
    for i in range(m):
        wi, wq, wv = w[weights + i], w[weights + m + i], w[weights + 2 * m + i]
        ai, aq, av = share * wi, share * wq, share * wv
        for k in range(SLOPES):
            at = columns + k * apart + i
            w[at] *= ai
            w[at + m] *= aq
            w[at + 2 * m] *= aq
            w[at + 3 * m] *= av
        si, sq, su, sv = w[stokes + i], w[stokes + m + i], w[stokes + 2 * m + i], w[stokes + 3 * m + i]
        w[chi + i], w[chi + m + i], w[chi + 2 * m + i] = real(0.0), -two * aq * su, two * aq * sq
        w[chi + 3 * m + i] = real(0.0)
        w[s0 + i], w[s0 + m + i], w[s0 + 2 * m + i], w[s0 + 3 * m + i] = ai, real(0.0), real(0.0), real(0.0)
        w[s1 + i], w[s1 + m + i] = ai * (si - surface) * per, aq * sq * per
        w[s1 + 2 * m + i], w[s1 + 3 * m + i] = aq * su * per, av * sv * per
        if unknowns > UNKNOWNS:
            w[alpha + i], w[alpha + m + i] = wi * (si - w[stray + i]), wq * sq
            w[alpha + 2 * m + i], w[alpha + 3 * m + i] = wq * su, wv * sv


@inlined
def _nine_products(w: Work, length: int, one: int, two: int, normal: Any, row: int, column: int) -> None:
    """Scalar products of three columns that lie behind one another with three others."""
    # Cut out first: indexed in the whole array, the compiler gathers single numbers (LLVM 20, AVX-512).
    x, y, z = _column(w, length, one, 0), _column(w, length, one, 1), _column(w, length, one, 2)
    a, b, c = _column(w, length, two, 0), _column(w, length, two, 1), _column(w, length, two, 2)
    zero = w.dtype.type(0.0)
    xa, xb, xc, ya, yb, yc, za, zb, zc = zero, zero, zero, zero, zero, zero, zero, zero, zero
    for i in range(length):
        xa += x[i] * a[i]
        xb += x[i] * b[i]
        xc += x[i] * c[i]
        ya += y[i] * a[i]
        yb += y[i] * b[i]
        yc += y[i] * c[i]
        za += z[i] * a[i]
        zb += z[i] * b[i]
        zc += z[i] * c[i]
    normal[row, column], normal[row, column + 1], normal[row, column + 2] = xa, xb, xc
    normal[row + 1, column], normal[row + 1, column + 1], normal[row + 1, column + 2] = ya, yb, yc
    normal[row + 2, column], normal[row + 2, column + 1], normal[row + 2, column + 2] = za, zb, zc


@inlined
def _column(w: Work, length: int, first: int, number: int) -> Any:
    return w[first + number * length : first + (number + 1) * length]


@inlined
def _three_products(w: Work, length: int, one: int, two: int, normal: Any, row: int, column: int) -> None:
    """Scalar products of three columns that lie behind one another with one other."""
    x, y, z = _column(w, length, one, 0), _column(w, length, one, 1), _column(w, length, one, 2)
    a, zero = _column(w, length, two, 0), w.dtype.type(0.0)
    xa, ya, za = zero, zero, zero
    for i in range(length):
        xa += x[i] * a[i]
        ya += y[i] * a[i]
        za += z[i] * a[i]
    normal[row, column], normal[row + 1, column], normal[row + 2, column] = xa, ya, za


@inlined
def normal_equations(w: Work, form: Any, places: Any, normal: Any) -> None:
    """Normal equations: products of all columns, the last of which is the residual."""
    m, unknowns = form[1], form[4]
    first, length = places[3], 4 * m
    second, third, last = first + 3 * length, first + 6 * length, first + unknowns * length
    # Not in a loop: its places would not be known when this is compiled.
    _nine_products(w, length, first, first, normal, 0, 0)
    _nine_products(w, length, first, second, normal, 0, 3)
    _nine_products(w, length, first, third, normal, 0, 6)
    _nine_products(w, length, second, second, normal, 3, 3)
    _nine_products(w, length, second, third, normal, 3, 6)
    _nine_products(w, length, third, third, normal, 6, 6)
    _three_products(w, length, first, last, normal, 0, unknowns)
    _three_products(w, length, second, last, normal, 3, unknowns)
    _three_products(w, length, third, last, normal, 6, unknowns)
    if unknowns > UNKNOWNS:
        alpha = first + UNKNOWNS * length
        _three_products(w, length, first, alpha, normal, 0, UNKNOWNS)
        _three_products(w, length, second, alpha, normal, 3, UNKNOWNS)
        _three_products(w, length, third, alpha, normal, 6, UNKNOWNS)
        filled, left = _column(w, length, alpha, 0), _column(w, length, last, 0)
        squares, gain = w.dtype.type(0.0), w.dtype.type(0.0)
        for i in range(length):
            squares += filled[i] * filled[i]
            gain += filled[i] * left[i]
        normal[UNKNOWNS, UNKNOWNS], normal[UNKNOWNS, unknowns] = squares, gain
    for row in range(unknowns):
        for column in range(row):
            normal[row, column] = normal[column, row]
