"""Stokes profiles of a Milne–Eddington atmosphere and their derivatives, in compiled loops over wavelength.

Everything lies in one flat array at places that are known when a loop is compiled: with places known only at
run time the compiler must take loads and stores for overlapping, and works on single numbers instead of
registers full. A function here takes that array, the places in it, and scalars; all are inlined into the two
kernels of `pipeline.inversion.kernel`.

Formal solution of Unno and Rachkovsky (Landi Degl'Innocenti & Landolfi 2004, Polarization in Spectral Lines,
§9.8) in the frame whose Q lies along the field's azimuth, where the terms of U vanish: with absorption
``(e, q, 0, v)`` and dispersion ``(r, 0, s)``, ``W = qr + vs`` and ``Δ = e²(e² − q² − v² + r² + s²) − W²``::

    I = S₀ + S₁ e(e² + r² + s²)/Δ      Q = −S₁(e²q + rW)/Δ
    U = S₁ e(vr − qs)/Δ                V = −S₁(e²v + sW)/Δ
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.inversion.voigt import faddeeva

Work: TypeAlias = NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

#: Sums kept of each of the three kinds of components: H, L, H′, L′, kH′, kL′, uH′, uL′ (k: shift per Gauss).
SUMS: Final = 8
#: Derivatives that the formal solution gives: by B, γ, v, ln Δ, ln η₀, ln a.
SLOPES: Final = 6


def inlined(function: F) -> F:
    """A function that exists only inside compiled loops."""
    made: F = njit(forceinline=True, fastmath=True, error_model="numpy", nogil=True)(function)
    return made


@inlined
def clear(w: Work, at: int, count: int) -> None:
    """Zeros."""
    zero = w.dtype.type(0.0)
    for i in range(count):
        w[at + i] = zero


@inlined
def add_component(
    x: Work, sums: Work, n: int, narrow: Any, shift: Any, per_gauss: Any, strength: Any, growth: Any, a: Any
) -> None:
    """The profiles of one Zeeman component, added to the sums of its kind.

    Parameters
    ----------
    x
        Distances from the line's centre.
    sums, n
        The sums, one behind another, each of so many wavelengths.
    narrow, shift
        ``u = narrow · x + shift``.
    per_gauss, strength
        Of the component.
    growth
        Derivative of the strength by the field, times Δ.
    a
        Damping.
    """
    two, slope = sums.dtype.type(2.0), sums.dtype.type(2.0 / np.sqrt(np.pi))
    for i in range(n):
        u = x[i] * narrow + shift
        h, f = faddeeva(u, a)
        # w′ = −2zw + 2i/√π
        hp = -two * (u * h - a * f) * strength
        fp = (slope - two * (u * f + a * h)) * strength
        sums[i] += strength * h
        sums[n + i] += strength * f
        sums[2 * n + i] += hp
        sums[3 * n + i] += fp
        sums[4 * n + i] += per_gauss * hp + growth * h
        sums[5 * n + i] += per_gauss * fp + growth * f
        sums[6 * n + i] += u * hp
        sums[7 * n + i] += u * fp


@inlined
def add_stokes(w: Work, n: int, sums: int, out: int, h: Any, s2: Any, c: Any, s0: Any, s1: Any) -> None:
    """Stokes profiles of the sums over components; `h` is η₀/2, `s2` and `c` are sin²γ and cos γ."""
    one, half = w.dtype.type(1.0), w.dtype.type(0.5)
    blue, pi, red = sums, sums + SUMS * n, sums + 2 * SUMS * n
    for i in range(n):
        hb, hp, hr = w[blue + i], w[pi + i], w[red + i]
        lb, lp, lr = w[blue + n + i], w[pi + n + i], w[red + n + i]
        hs, ls = half * (hb + hr), half * (lb + lr)
        e = one + h * (hp * s2 + hs * (one + c * c))
        q, v = h * s2 * (hp - hs), h * c * (hr - hb)
        r, s = h * s2 * (lp - ls), h * c * (lr - lb)
        wide, m = q * r + v * s, r * r + s * s
        f = s1 / (e * e * (e * e - q * q - v * v + m) - wide * wide)
        w[out + i] = s0 + f * e * (e * e + m)
        w[out + n + i] = -f * (e * e * q + r * wide)
        w[out + 2 * n + i] = f * e * (v * r - q * s)
        w[out + 3 * n + i] = -f * (e * e * v + s * wide)


@inlined
def _slopes_of_one(w: Work, at: int, apart: int, t: Any, value: Any, by: Any) -> None:
    """Six derivatives of one Stokes parameter at one wavelength.

    `t` are its derivatives by e, q, v, r, s; `value` is it without S₀; `by` are derivatives of e, q, v, r, s.
    """
    b, g, d, o, a = by
    w[at] = t[0] * b[0] + t[1] * b[1] + t[2] * b[2] + t[3] * b[3] + t[4] * b[4]
    w[at + apart] = t[0] * g[0] + t[1] * g[1] + t[2] * g[2] + t[3] * g[3] + t[4] * g[4]
    w[at + 2 * apart] = t[0] * d[0] + t[1] * d[1] + t[2] * d[2] + t[3] * d[3] + t[4] * d[4]
    w[at + 3 * apart] = t[0] * o[0] + t[1] * o[1] + t[2] * o[2] + t[3] * o[3] + t[4] * o[4]
    # Of degree -1 in e, q, v, r, s, and all of them but the 1 in e are proportional to η₀.
    w[at + 4 * apart] = -(value + t[0])
    w[at + 5 * apart] = t[0] * a[0] + t[1] * a[1] + t[2] * a[2] + t[3] * a[3] + t[4] * a[4]


@inlined
def _by_profiles(k: Any, f: Any, g: Any, x: Any) -> Any:
    """Changes of e, q, v, r, s with the profiles' changes `x`: H of blue, π, red, then L.

    `k` is 1 + cos²γ; `f` and `g` are η₀/2 · sin²γ and η₀/2 · cos γ, all in `k`'s type.
    """
    hs, ls = (x[0] + x[2]) * k[1], (x[3] + x[5]) * k[1]
    return (
        f * x[1] + k[0] * hs,
        f * (x[1] - hs),
        g * (x[2] - x[0]),
        f * (x[4] - ls),
        g * (x[5] - x[3]),
    )


@inlined
def changes(
    w: Work, n: int, sums: int, i: int, h: Any, sine: Any, c: Any, a: Any, per: Any, speed: Any
) -> Any:
    """Absorption and dispersion e, q, v, r, s of the lines, and their derivatives by B, γ, v, ln Δ and ln a.

    Parameters are those of `add_slopes`; `i` is the wavelength.
    """
    one, half, two = w.dtype.type(1.0), w.dtype.type(0.5), w.dtype.type(2.0)
    f, g, turn, lean = h * sine * sine, h * c, two * sine * c * h, h * sine
    k = (h * (one + c * c), half)
    ab, ap, ar = sums + i, sums + SUMS * n + i, sums + 2 * SUMS * n + i
    x = (w[ab], w[ap], w[ar], w[ab + n], w[ap + n], w[ar + n])
    hs, ls = half * (x[0] + x[2]), half * (x[3] + x[5])
    slope = (w[ab + 2 * n], w[ap + 2 * n], w[ar + 2 * n], w[ab + 3 * n], w[ap + 3 * n], w[ar + 3 * n])
    split = (w[ab + 4 * n], w[ap + 4 * n], w[ar + 4 * n], w[ab + 5 * n], w[ap + 5 * n], w[ar + 5 * n])
    wide = (w[ab + 6 * n], w[ap + 6 * n], w[ar + 6 * n], w[ab + 7 * n], w[ap + 7 * n], w[ar + 7 * n])
    return _by_profiles(k, f, g, x), (
        times(per, _by_profiles(k, f, g, split)),
        (
            turn * (x[1] - hs),
            turn * (x[1] - hs),
            -lean * (x[2] - x[0]),
            turn * (x[4] - ls),
            -lean * (x[5] - x[3]),
        ),
        times(speed, _by_profiles(k, f, g, slope)),
        times(-one, _by_profiles(k, f, g, wide)),
        # dH/da = −dL/du, dL/da = dH/du
        times(a, _by_profiles(k, f, g, (-slope[3], -slope[4], -slope[5], slope[0], slope[1], slope[2]))),
    )


@inlined
def add_slopes(
    w: Work,
    n: int,
    sums: int,
    out: int,
    apart: int,
    h: Any,
    sine: Any,
    c: Any,
    s1: Any,
    a: Any,
    per: Any,
    speed: Any,
) -> None:
    """Derivatives of the Stokes profiles by B, γ, v, ln Δ, ln η₀ and ln a, one behind another.

    Parameters
    ----------
    w, n, sums
        As before.
    out, apart
        Where the first goes, and how far the next lies behind it; 4 n values each.
    h, sine, c, s1, a
        η₀/2, sin γ, cos γ, S₁, damping.
    per
        1/Δ, what a shift per Gauss is in Doppler widths.
    speed
        du/dv.
    """
    one, two = w.dtype.type(1.0), w.dtype.type(2.0)
    for i in range(n):
        (e, q, v, r, s), by = changes(w, n, sums, i, h, sine, c, a, per, speed)
        e = one + e
        w0, m, e2 = q * r + v * s, r * r + s * s, e * e
        p = e2 - q * q - v * v + m
        over = one / (e2 * p - w0 * w0)
        fac = s1 * over
        # Derivatives of Δ by e, q, v, r, s, over Δ.
        d = times(
            two * over,
            (e * (p + e2), -(e2 * q + w0 * r), -(e2 * v + w0 * s), e2 * r - w0 * q, e2 * s - w0 * v),
        )
        ni, nq, nu, nv = e * (e2 + m), -(e2 * q + r * w0), e * (v * r - q * s), -(e2 * v + s * w0)
        none = one - one
        table = _quotient(fac, ni, d, (two * e2 + e2 + m, none, none, two * e * r, two * e * s))
        _slopes_of_one(w, out + i, apart, table, fac * ni, by)
        table = _quotient(fac, nq, d, (-two * e * q, -(e2 + r * r), -r * s, -(w0 + r * q), -r * v))
        _slopes_of_one(w, out + n + i, apart, table, fac * nq, by)
        table = _quotient(fac, nu, d, (v * r - q * s, -e * s, e * r, e * v, -e * q))
        _slopes_of_one(w, out + 2 * n + i, apart, table, fac * nu, by)
        table = _quotient(fac, nv, d, (-two * e * v, -s * r, -(e2 + s * s), -s * q, -(w0 + s * v)))
        _slopes_of_one(w, out + 3 * n + i, apart, table, fac * nv, by)


@inlined
def times(factor: Any, x: Any) -> Any:
    return (factor * x[0], factor * x[1], factor * x[2], factor * x[3], factor * x[4])


@inlined
def _quotient(factor: Any, value: Any, d: Any, x: Any) -> Any:
    """Derivatives of ``factor · value`` where `factor` is over Δ, from those of `value` and of ln Δ."""
    return (
        factor * (x[0] - value * d[0]),
        factor * (x[1] - value * d[1]),
        factor * (x[2] - value * d[2]),
        factor * (x[3] - value * d[3]),
        factor * (x[4] - value * d[4]),
    )
