"""Levenberg–Marquardt steps: small dense systems, bounds, and when to stop; in compiled code."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any, Final

from pipeline.inversion.forms import UNKNOWNS
from pipeline.inversion.radiation import inlined

#: What stands for zero where something is divided by.
_LEAST: Final = 1e-12


def _written(count: int) -> str:
    """Cholesky's solution written out: loops over nine unknowns cost thrice as much."""
    lines = ["def solve(normal, held, damping, out):", "    one = 1.0 + damping"]
    for i in range(count):
        lines.append(f"    s{i} = 0.0")
        lines.append(f"    if normal[{i}, {i}] > 0.0 and not held[{i}]:")
        lines.append(f"        s{i} = 1.0 / sqrt(normal[{i}, {i}])")
    for i in range(count):
        for j in range(i):
            less = "".join(f" - l{i}_{k} * l{j}_{k}" for k in range(j))
            lines.append(f"    l{i}_{j} = (normal[{i}, {j}] * s{i} * s{j}{less}) * r{j}")
        less = "".join(f" - l{i}_{k} * l{i}_{k}" for k in range(i))
        lines.append(f"    r{i} = 1.0 / sqrt(max(one{less}, {_LEAST}))")
    for i in range(count):
        less = "".join(f" - l{i}_{k} * y{k}" for k in range(i))
        lines.append(f"    y{i} = (normal[{i}, {count}] * s{i}{less}) * r{i}")
    for i in reversed(range(count)):
        less = "".join(f" - l{k}_{i} * x{k}" for k in range(i + 1, count))
        lines.append(f"    x{i} = (y{i}{less}) * r{i}")
    lines += [f"    out[{i}] = x{i} * s{i}" for i in range(count)]
    return "\n".join(lines)


def _solver(count: int) -> Any:
    names: dict[str, Any] = {"sqrt": sqrt, "max": max}
    exec(_written(count), names)  # noqa: S102  # our own text
    return inlined(names["solve"])


_solve_9, _solve_10 = _solver(9), _solver(10)


@inlined
def solve(normal: Any, held: Any, damping: float, count: int, out: Any) -> None:
    """The step of the damped normal equations, whose last column is the right side.

    The diagonal is scaled to one before the damping is added; unknowns that are held do not move.
    """
    if count > UNKNOWNS:
        _solve_10(normal, held, damping, out)
    else:
        _solve_9(normal, held, damping, out)


@inlined
def inverse(normal: Any, held: Any, count: int, lower: Any, out: Any) -> None:
    """The covariance: the inverse of the normal equations, 0 for what is held; `lower` is for work."""
    for i in range(count):
        for j in range(i + 1):
            total = normal[i, j] / sqrt(max(normal[i, i], _LEAST) * max(normal[j, j], _LEAST))
            if held[i] or held[j]:
                total = 1.0 if i == j else 0.0
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = sqrt(max(total, _LEAST)) if i == j else total / lower[j, j]
    for j in range(count):
        lower[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, count):
            total = 0.0
            for k in range(j, i):
                total -= lower[i, k] * lower[k, j]
            lower[i, j] = total / lower[i, i]
    for i in range(count):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, count):
                total += lower[k, i] * lower[k, j]
            lone = held[i] or held[j]
            out[i, j] = 0.0 if lone else total / sqrt(max(normal[i, i], _LEAST) * max(normal[j, j], _LEAST))
            out[j, i] = out[i, j]


@inlined
def covariances(normal: Any, held: Any, fixed: Any, count: int, lower: Any, out: Any) -> None:
    """The covariance with all that is held, then that with what bounds hold as if it were free."""
    for freed in range(2):
        for k in range(count):
            held[k] = fixed[k] or (held[k] and freed == 0)
        inverse(normal, held, count, lower, out[freed])


@inlined
def predicted(normal: Any, change: Any, count: int) -> float:
    """By how much a step lowers the sum of squares, were the model linear."""
    gain = 0.0
    for i in range(count):
        total = 2.0 * normal[i, count]
        for j in range(count):
            total -= normal[i, j] * change[j]
        gain += total * change[i]
    return gain


@inlined
def holding(p: Any, normal: Any, limits: Any, count: int, held: Any) -> None:
    """Marks what may not move: fixed unknowns, and those at a bound that would go beyond it."""
    for k in range(count):
        up = normal[k, count] > 0.0
        held[k] = limits.fixed[k] or (p[k] >= limits.upper[k] and up) or (p[k] <= limits.lower[k] and not up)


@inlined
def stepped(p: Any, change: Any, limits: Any, count: int, field: int, gamma: int, chi: int, out: Any) -> bool:
    """Unknowns behind a step of limited length, folded and within their bounds; `change` becomes the step.

    Returns whether the step was cut. All of it is cut alike: unknowns that make up for one another would not,
    were each cut by itself, and the sum of squares would grow.
    """
    share = 1.0
    for k in range(count):
        share = min(share, limits.step[k] / max(abs(change[k]), limits.step[k]))
    for k in range(count):
        change[k] *= share
        out[k] = p[k] + change[k]
    # A field of negative strength is one of opposite polarity.
    if out[field] < 0.0:
        out[field], out[gamma] = -out[field], pi - out[gamma]
    if out[gamma] < 0.0:
        out[gamma] = -out[gamma]
    if out[gamma] > pi:
        out[gamma] = 2.0 * pi - out[gamma]
    if out[chi] < 0.0:
        out[chi] += pi
    if out[chi] >= pi:
        out[chi] -= pi
    for k in range(count):
        if k != chi:
            out[k] = min(max(out[k], limits.lower[k]), limits.upper[k])
    return share < 1.0
