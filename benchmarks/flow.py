"""The gradient flow of verification: with the Hessian against without, in one run.

    python benchmarks/flow.py DIR [DIR ...] [--states N] [--paths N] [--output DIR]

Each DIR is a landscape. Of its transition states, or N of them drawn by chance, the
whole check is done with either method in turn, and compared with the ends of a flow to a
tolerance of 1e-6. Where the two disagree about a side, SciPy's Radau method to a tight
tolerance decides who is right. For `--paths` sides the
way that the flow takes is compared with Radau's: the distance of the flow's points from
that line in parameter space.
"""

import argparse
import sys
import time
from pathlib import Path

from common import machine, pin_to_one_core, write_table

# isort: split
import numpy as np
from scipy.integrate import solve_ivp

import nnpotential as nnp
from nnpotential.findings import Connection
from nnpotential.verification import verify
from nnpotential.verification.flow import ChebyshevFlow, RosenbrockFlow, gradient_flow

METHODS = {"implicit": RosenbrockFlow, "explicit": ChebyshevFlow}
TIGHT = 1e-6


def check(system, state):
    """By method: the verdict, and CPU seconds of the whole check."""
    found = {}
    for name, method in METHODS.items():
        verify.gradient_flow = method
        before = time.process_time()
        verdict = verify.verify_transition_state(system, state)
        found[name] = verdict, time.process_time() - before
    verify.gradient_flow = gradient_flow
    return found


def starts(system, state):
    """Where the check lets its flows begin."""
    _, mode = verify._examine(system, state, 1)
    return [state.coords + side * verify._PUSHOFF * mode for side in (1, -1)]


def same_ends(system, ends, others):
    return len(ends) == len(others) and all(
        system.identity.are_same(a.coords, b.coords) for a, b in zip(ends, others, strict=True)
    )


def radau(potential, x, until, rtol, dense=False):
    done = solve_ivp(
        lambda _, y: -potential.getGradient(y),
        (0, until),
        x,
        method="Radau",
        jac=lambda _, y: -potential.getHessian(y),
        rtol=rtol,
        atol=0.1 * rtol,
        dense_output=dense,
    )
    if not done.success:
        raise ArithmeticError(done.message)
    return done


def right(system, starts, ends):
    """How many of these sides end, by Radau, where the method says."""
    n = 0
    for start, (_, x) in zip(starts, ends, strict=True):
        slowest = np.linalg.eigvalsh(system.potential.getHessian(x))
        until = 1e3 / slowest[slowest > 1e-9 * slowest[-1]][0]
        n += system.identity.are_same(radau(system.potential, start, until, 1e-9).y[:, -1], x)
    return n


def strayed(system, start):
    """By method: its steps, and how far from Radau's line it strays.

    None where Radau's line ends in another image of the minimum: the way was along a
    ridge between the two, a symmetric network, from which rounding drives it to either.
    """
    potential = system.potential
    flow, end = RosenbrockFlow(potential, start), None
    while end is None and flow.step():
        if flow.may_be_near(verify._NEAR):
            end = verify._nearby_minimum(system, flow)
    done = radau(potential, start, 1.2 * flow.time, 1e-7, dense=True)
    other = verify.follow_gradient(system, done.y[:, -1])
    if (
        system.identity.are_same(end.coords, other.coords)
        and np.linalg.norm(end.coords - other.coords) > verify._AROUND
    ):
        return None
    times = [np.linspace(a, b, 13)[:-1] for a, b in zip(done.t[:-1], done.t[1:], strict=True)]
    line = done.sol(np.concatenate([*times, done.t[-1:]])).T
    found = {}
    for name, method in METHODS.items():
        other, n, most = method(potential, start), 0, 0.0
        while other.time < flow.time and other.step():
            n += 1
            if other.time <= done.t[-1]:
                most = max(most, distance(line, other.x))
        found[name] = n, most
    return found


def distance(line, x):
    """From a point to the nearest of the straight pieces between a line's points."""
    along = np.diff(line, axis=0)
    share = ((x - line[:-1]) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-300)
    nearest = line[:-1] + np.clip(share, 0, 1)[:, np.newaxis] * along
    return np.linalg.norm(nearest - x, axis=1).min()


def rows(path, n_states, n_paths):
    """One row of each table."""
    land = nnp.Landscape.open(path)
    system, rng = land.system, np.random.default_rng(0)
    stored = land.database.transition_states()
    chosen = rng.permutation(len(stored))[:n_states]
    seconds = dict.fromkeys(METHODS, 0.0)
    n_other, n_right, n_strays = 0, dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0)
    for i in chosen:
        state = Connection.of(stored[i])
        found = check(system, state)
        for name, (_, took) in found.items():
            seconds[name] += took
        begun = starts(system, state)
        tight = [verify.follow_gradient(system, start, TIGHT) for start in begun]
        for name, (verdict, _) in found.items():
            n_strays[name] += not same_ends(system, verdict.ends, tight)
        one, two = (verdict.ends for verdict, _ in found.values())
        if not same_ends(system, one, two):
            n_other += 1
            for name, (verdict, _) in found.items():
                n_right[name] += len(verdict.ends) == 2 and right(system, begun, verdict.ends) == 2
    ms = {name: 1e3 * took / len(chosen) for name, took in seconds.items()}
    yield (
        f"| {system} | {len(chosen)} | {ms['explicit']:.1f} | {ms['implicit']:.1f} | "
        f"{ms['explicit'] / ms['implicit']:.1f} | {n_strays['explicit']} | "
        f"{n_strays['implicit']} | {n_other} | {n_right['explicit']} | {n_right['implicit']} |"
    )
    ways = [
        strayed(system, stored[i].coords + verify._PUSHOFF * stored[i].eigenvec)
        for i in chosen[:n_paths]
    ]
    ways = [way for way in ways if way is not None]
    figures = []
    for name in ("explicit", "implicit"):
        steps, away = zip(*(way[name] for way in ways), strict=True)
        figures.append(f"{np.mean(steps):.0f} | {np.median(away):.1e} | {max(away):.1e}")
    yield f"| {system} | {len(ways)} | {' | '.join(figures)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("landscapes", nargs="+", metavar="DIR")
    parser.add_argument("--states", type=int, help="transition states of each, by default all")
    parser.add_argument("--paths", type=int, default=10, help="sides compared with Radau's line")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    pin_to_one_core()
    found = [list(rows(path, options.states, options.paths)) for path in options.landscapes]
    lines = [
        "# The gradient flow: explicit and with the Hessian",
        "",
        f"{machine()}, one thread. CPU time of the whole check of a transition state. "
        '"strays": states of which it finds other minima than a flow to a tolerance of '
        f'{TIGHT:.0e}; "other": of which the two methods find other minima, "right": of these, '
        "both sides as by Radau.",
        "",
        "| landscape | states | explicit, ms | with Hessian, ms | ratio | explicit strays "
        "| with Hessian strays | other | right, explicit | right, with Hessian |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(checks for checks, _ in found),
        "",
        "Steps on the way down at a tolerance of 1e-4, and how far its points stray from Radau's "
        "line (rtol 1e-7): median and largest. Sides of which the two reach different images of "
        "one minimum are left out.",
        "",
        "| landscape | sides | explicit, steps | median | largest | with Hessian, steps | median "
        "| largest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(ways for _, ways in found),
    ]
    write_table(lines, options.output, "flow.md")


if __name__ == "__main__":
    sys.exit(main())
