"""Whether the tests would notice: single random changes of the program, each against its module's tests.

``make mutants`` or ``python -m tests.mutants [MODULE ...] [--count N] [--seed S] [--all]``. Not part of the
tests: a run takes minutes. Ends with 1 where fewer than 95 % of the changes are noticed, and names those
that were not. A change with which the program does the same is named in `EQUIVALENT`, with the reason, and
is never drawn; better than an entry there is a program without the code that makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.util
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

HOUSE: Final = Path(__file__).resolve().parent.parent
#: Share of changes that has to be noticed.
ENOUGH: Final = 0.95
#: A change that makes the tests run on and on counts as noticed: after so many times their usual length,
#: and these seconds.
_TIMES: Final = 4
_PATIENCE: Final = 20
#: Tells the tests that there are no services for them.
_WITHOUT: Final = "HELIOLAKE_TESTS_WITHOUT_SERVICES"
#: What such a change may write into one file meanwhile, in bytes.
_LARGEST_FILE: Final = 1 << 34
_HI, _AIA = "pipeline.instruments.stereo_hi.steps", "pipeline.instruments.sdo_aia.steps"
_HI_TESTS, _AIA_TESTS = "tests/pipeline/instruments/stereo_hi", "tests/pipeline/instruments/sdo_aia"
#: Tests in which several modules of a room are met together.
_LEDGER = tuple(f"tests/lake/ledger/test_{of}.py" for of in ("run", "runs", "leases", "results", "sites"))
_STORED = tuple(
    f"tests/lake/storage/test_{of}.py" for of in ("durability", "posix", "put_back", "store", "volatile")
)
#: Modules whose tests are measured, with the tests that are to notice besides those that mirror the module.
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "lake.governance.policy": (),
    "lake.calibration.choice": (),
    "lake.fits.check": tuple(f"tests/lake/fits/test_{of}.py" for of in ("check_taken", "limits", "memory")),
    "lake.fits.tables": ("tests/lake/fits/test_check.py",),
    "lake.fits.windows": ("tests/lake/fits/test_memory.py",),
    "lake.ledger.leases": _LEDGER,
    "lake.ledger.owners": (),
    "lake.ledger.results": _LEDGER,
    "lake.ledger.run": _LEDGER,
    "lake.ledger.runs": _LEDGER,
    "lake.names": (),
    "lake.storage.posix": _STORED,
    "lake.storage.files": _STORED,
    "lake.storage.s3": _STORED[3:],
    "lake.storage.verify": _STORED,
    "pipeline.grouping": ("tests/pipeline/test_gather.py",),
    "pipeline.kernels.affine": (
        "tests/pipeline/kernels/test_resample.py",
        f"{_AIA_TESTS}/test_register.py",
    ),
    "pipeline.kernels.desmear": ("tests/pipeline/kernels/test_desmear_limits.py",),
    "pipeline.outcome": (),
    "pipeline.provenance": ("tests/pipeline/test_gather.py",),
    "pipeline.quality": (),
    "pipeline.recipe": tuple(
        f"tests/pipeline/test_{of}.py"
        for of in ("gather", "uncertainty", "completeness", "unit_chain", "checking", "cubes")
    ),
    "pipeline.running": tuple(
        f"tests/pipeline/test_{of}.py"
        for of in ("apply", "gather", "uncertainty", "completeness", "cubes", "testing")
    ),
    "pipeline.solarnet": (),
    f"{_AIA}.pointing": (f"{_AIA_TESTS}/test_pointing.py",),
    f"{_HI}.calibrate": (f"{_HI_TESTS}/test_calibrate.py",),
    f"{_HI}.cosmics": (f"{_HI_TESTS}/test_cosmics.py",),
    f"{_HI}.onboard": (f"{_HI_TESTS}/test_onboard.py", f"{_HI_TESTS}/test_telemetry.py"),
}
#: Those of them whose tests need services, which are started once for all changes.
_SERVED: Final = frozenset(
    {
        *("lake.ledger.leases", "lake.ledger.results", "lake.ledger.run", "lake.ledger.runs"),
        "lake.storage.s3",
    }
)
#: A process of their own, for this one must not have imported what is to be exchanged.
_SERVICES: Final = """
import sys
from pathlib import Path
from tests.conftest import running_home
from tests.objects import Objects

folder = Path(sys.argv[1])
with running_home(folder / "home"), Objects(folder):
    print(flush=True)
    sys.stdin.read()
"""


class Equivalent(NamedTuple):
    """A change that nobody could notice: the program does the same with it."""

    module: str
    before: str
    after: str
    why: str


#: Never drawn. A text is one that stands once in the module, as `ast.unparse` writes it.
EQUIVALENT: Final[tuple[Equivalent, ...]] = (
    Equivalent(
        "lake.ledger.owners", ">= _CLOCK_TOLERANCE", "> _CLOCK_TOLERANCE", "no clock is known to the last bit"
    ),
    Equivalent(
        "lake.ledger.run",
        "Unit.lease_until > func.now()",
        "Unit.lease_until >= func.now()",
        "no lease is met in the very microsecond in which it ends",
    ),
    *(
        Equivalent("lake.ledger.leases", before, after, "how long a lease is, and how often it is prolonged")
        for before, after in (
            ("LEASE_SECONDS = 300", "LEASE_SECONDS = 301"),
            ("LEASE_SECONDS / 4", "LEASE_SECONDS / 5"),
            ("timeout=10", "timeout=11"),
        )
    ),
    *(
        Equivalent(f"lake.ledger.{of}", "_MANY = 10000", "_MANY = 10001", "how many rows at once")
        for of in ("results", "run")
    ),
    Equivalent("lake.storage.s3", "self._seen > _SEEN", "self._seen >= _SEEN", "no clock stands still"),
    *(
        Equivalent("lake.storage.s3", before, after, "how much is fetched, looked at or believed at once")
        for before, after in (
            ("_RANGE: Final = 8 << 20", "_RANGE: Final = 9 << 20"),
            ("_RANGE: Final = 8 << 20", "_RANGE: Final = 8 << 21"),
            ("_HEADER: Final = 1 << 18", "_HEADER: Final = 2 << 18"),
            ("_HEADER: Final = 1 << 18", "_HEADER: Final = 1 << 19"),
            ("_NAMESAKES: Final = 1000", "_NAMESAKES: Final = 1001"),
            ("_SEEN: Final = 60.0", "_SEEN: Final = 61.0"),
        )
    ),
    Equivalent("lake.storage.posix", "_NAMESAKES = 1000000", "_NAMESAKES = 1000001", "never reached"),
    *(
        Equivalent("lake.fits.windows", f"{name} = {before}", f"{name} = {after}", "how much is held at once")
        for name, before, after in (
            ("WINDOW: Final", "1 << 22", "2 << 22"),
            ("WINDOW: Final", "1 << 22", "1 << 23"),
            ("HELD: Final", "40 << 20", "41 << 20"),
            ("HELD: Final", "40 << 20", "40 << 21"),
        )
    ),
    *(
        Equivalent("pipeline.kernels.desmear", f"{name}: True", f"{name}: False", "how it is compiled")
        for name in ("'cache'", "'nogil'")
    ),
    Equivalent("pipeline.kernels.desmear", "_LINES: Final = 4", "_LINES: Final = 5", "lines in one pass"),
)
#: Imported once, before the first change: libraries of others take most of a test run's first seconds.
_LIBRARIES: Final = (
    "numpy",
    "scipy.fft",
    "numba",
    "astropy.io.fits",
    "xarray",
    "dask.array",
    "pydantic",
    "hypothesis",
    "pytest",
    "sunpy.map",
    "zarr",  # a plugin of pytest where it is installed
)

_PAIRS: Final = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift)),
    (ast.And, ast.Or),
)
_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    **dict(_PAIRS),
    **{second: first for first, second in _PAIRS},
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
Change = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    line: int
    before: str
    after: str
    source: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the changes asked for and print what was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="dotted names; all by default")
    parser.add_argument("--count", type=int, default=12, help="changes of each module (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every possible change instead of some")
    options = parser.parse_args(arguments)
    if unknown := set(options.modules) - set(MODULES):
        parser.error(f"no such module here: {', '.join(sorted(unknown))}; there are: {', '.join(MODULES)}")
    os.chdir(HOUSE)
    for library in _LIBRARIES:
        with suppress(ModuleNotFoundError):
            importlib.import_module(library)
    modules = options.modules or list(MODULES)
    with _services(bool(_SERVED & set(modules))):
        return _measured(modules, None if options.all else options.count, options.seed)


@contextmanager
def _services(wanted: bool) -> Iterator[None]:
    """What tests find running meanwhile."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        command = [sys.executable, "-c", _SERVICES, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as services:
            if services.stdout is None or not services.stdout.readline():
                raise SystemExit("the services that the tests need do not start")
            os.environ["HELIOLAKE_TESTS_RUNNING"] = folder
            try:
                yield
            finally:
                services.communicate()


def _measured(modules: Sequence[str], count: int | None, seed: int) -> int:
    """Print what of the changes of each module is noticed; 0 where that is enough."""
    noticed = total = 0
    for module in modules:
        os.environ.pop(_WITHOUT, None)
        if module not in _SERVED:
            os.environ[_WITHOUT] = "1"
        started = time.monotonic()
        if not _passes(None, _tests_of(module), 10 * _PATIENCE):
            print(f"{module}: its tests fail without any change", flush=True)
            return 2
        survives = partial(_survives, patience=_PATIENCE + _TIMES * (time.monotonic() - started))
        found = _drawn(module, count, seed)
        # Tests that share services may rely on being alone with them.
        with ThreadPoolExecutor(1 if module in _SERVED else len(os.sched_getaffinity(0))) as pool:
            survived = [one for one, passes in zip(found, pool.map(survives, found), strict=True) if passes]
        noticed, total = noticed + len(found) - len(survived), total + len(found)
        print(f"{module}: {len(found) - len(survived)} of {len(found)} noticed", flush=True)
        for one in survived:
            print(f"  {one.module.replace('.', '/')}.py:{one.line}: {one.before}  →  {one.after}", flush=True)
    print(f"{noticed} of {total} changes noticed: {noticed / total:.1%}")
    return 0 if noticed >= ENOUGH * total else 1


def _drawn(module: str, count: int | None, seed: int) -> list[Mutant]:
    """Some changes of a module, the same for the same seed; all where no count is given."""
    source = (HOUSE / f"{module.replace('.', '/')}.py").read_text()
    spared = _equivalents(module, ast.unparse(ast.parse(source)))
    all_of_them = [_mutant(module, source, one) for one in range(len(list(_changes(ast.parse(source)))))]
    noticeable = [one for one in all_of_them if one.source not in spared]
    if len(all_of_them) - len(noticeable) != len(spared):
        raise SystemExit(f"{module}: EQUIVALENT names a change of it that cannot be drawn")
    if count is None or count >= len(noticeable):
        return noticeable
    chosen = random.Random(f"{module} {seed}").sample(range(len(noticeable)), count)
    return [noticeable[one] for one in sorted(chosen)]


def _equivalents(module: str, source: str) -> set[str]:
    """A module's source with each of its changes that nobody could notice."""
    named = [one for one in EQUIVALENT if one.module == module]
    for one in named:
        if source.count(one.before) != 1:
            raise SystemExit(f"{module}: EQUIVALENT names {one.before!r}, which does not stand there once")
    return {source.replace(one.before, one.after) for one in named}


def _mutant(module: str, source: str, number: int) -> Mutant:
    tree = ast.parse(source)
    node, change = next(one for index, one in enumerate(_changes(tree)) if index == number)
    before = _short(node)
    change()
    return Mutant(module, node.lineno, before, _short(node), ast.unparse(tree))


def _short(node: ast.AST) -> str:
    return ast.unparse(node).replace("\n", " ")[:90]


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, Change]]:
    """Every change that can be made: the smallest statement or expression to show, and what makes it."""
    spared = set(_spared(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)) and node not in spared:
            for change in _changes_of(node):
                yield node, change


def _changes_of(node: ast.expr | ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            yield partial(node.ops.__setitem__, index, _swapped(operator))
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in _SWAPS:
        yield partial(setattr, node, "op", _swapped(node.op))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield partial(setattr, node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield partial(setattr, node, "op", ast.UAdd())
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield partial(setattr, node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant) and (other := _other(node.value)) is not None:
        yield partial(setattr, node, "value", other)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield partial(setattr, node, "value", ast.Constant(None))
    elif isinstance(node, ast.Return) and not _is_no(node.value):
        yield partial(setattr, node, "value", None)


def _is_no(value: ast.expr | None) -> bool:
    """Nothing or False, which are the same to somebody who asks whether it is true."""
    return value is None or (
        isinstance(value, ast.Constant) and (value.value is None or value.value is False)
    )


def _swapped(operator: ast.AST) -> Any:
    return _SWAPS[type(operator)]()


def _other(value: object) -> object:
    """Another value of the same type; None for what is left alone (sentences, mostly)."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str) and value and " " not in value:
        return f"{value}x"
    return None


def _spared(tree: ast.Module) -> Iterator[ast.AST]:
    """What is no behaviour: annotations, options of compilers, docstrings, messages."""
    for node in ast.walk(tree):
        roots: list[ast.AST | None] = []
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            roots += node.decorator_list
            roots += [node.returns] if isinstance(node, ast.FunctionDef) else []
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            roots.append(node.annotation)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            roots.append(node.value)
        elif (
            isinstance(node, ast.JoinedStr)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
            or (isinstance(node, ast.Call) and ast.unparse(node.func) == "TypeVar")
        ):
            roots.append(node)
        elif isinstance(node, ast.Raise):  # that it is raised matters, not the words
            yield from (one for one in ast.walk(node) if isinstance(one, ast.Constant))
        for root in roots:
            if root is not None:
                yield from ast.walk(root)


def _survives(mutant: Mutant, patience: float) -> bool:
    return _passes(mutant, _tests_of(mutant.module), patience)


def _tests_of(module: str) -> tuple[str, ...]:
    """The tests that mirror a module, where there are such, and the others that are to notice."""
    room, _, name = module.rpartition(".")
    mirror = f"tests/{room.replace('.', '/')}/test_{name}.py"
    return tuple(dict.fromkeys([*([mirror] if (HOUSE / mirror).exists() else []), *MODULES[module]]))


def _passes(mutant: Mutant | None, tests: tuple[str, ...], patience: float) -> bool:
    """Whether the tests pass, run in a process of their own in which a module is exchanged."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        child = os.fork()
        if child == 0:
            _run_tests(mutant, tests, Path(folder))
        deadline = time.monotonic() + patience
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                os.kill(child, 9)
                with suppress(ProcessLookupError):
                    os.killpg(child, 9)  # and what the tests had started
            time.sleep(0.05)
        return os.waitpid(child, 0)[1] == 0


def _run_tests(mutant: Mutant | None, tests: tuple[str, ...], folder: Path) -> None:
    """Run the tests and end the process with their exit code; does not return."""
    code = 3
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        if mutant is not None:
            file = folder / f"{mutant.module.rpartition('.')[2]}.py"
            file.write_text(mutant.source)
            sys.meta_path.insert(0, _Exchange(mutant.module, file))
            _exchange_in_processes(mutant.module, file)
        import pytest
        from hypothesis import Phase, settings

        # An example that fails is enough: no smaller one is looked for, and none is kept for the next run.
        settings.register_profile(
            "mutants", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate], deadline=None
        )
        options = ["-x", "-q", "-p", "no:cacheprovider", "--basetemp", str(folder / "pytest")]
        options += ["--hypothesis-profile", "mutants"]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


def _exchange_in_processes(module: str, file: Path) -> None:
    """Let every Python that the tests start take the changed module too."""
    folder = file.parent / "started"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_IN_PROCESSES.format(module=module, file=str(file)))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(":")


_IN_PROCESSES: Final = """
import importlib.util, sys

class Exchange:
    def find_spec(self, fullname, path=None, target=None):
        if fullname == {module!r}:
            return importlib.util.spec_from_file_location(fullname, {file!r})

sys.meta_path.insert(0, Exchange())
"""


class _Exchange(importlib.abc.MetaPathFinder):
    """Gives a module from another file; its compiled kernels are cached there, not beside the genuine."""

    def __init__(self, module: str, file: Path) -> None:
        self.module, self.file = module, file

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The changed module, and nothing for any other name."""
        return (
            importlib.util.spec_from_file_location(fullname, self.file) if fullname == self.module else None
        )


if __name__ == "__main__":
    sys.exit(main())
