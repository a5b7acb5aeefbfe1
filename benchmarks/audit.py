"""Is the barrier audit honest? Searches stopped early, each audited, against a long one.

    python benchmarks/audit.py [CASE ...] [--searches N] [--work DIR] [--output DIR]

For each landscape one search goes on for long, and N others, of seeds of their own but on
the same data, are stopped after few attempts to lower barriers; then their audits run.
What all of them found is merged. The truth is how far, from before the audit, the mean
barrier of the minima that a search's quenches found falls in the merged landscape, to
the same lowest minimum. Barriers there are upper bounds too: the truth is at least that.
With `--work` landscapes are kept there, and those that are there are taken up.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree

from common import machine, pin_to_one_core, write_table

# isort: split
import networkx as nx
import numpy as np

import nnpotential as nnp
from nnpotential.analysis.figures import barriers_to_lowest, lowest_minimum
from nnpotential.search.audit import barrier_audit
from nnpotential.search.barriers import barriers_of, bottlenecks
from nnpotential.search.forest import Forest
from nnpotential.search.journal import Journal
from nnpotential.storage import quench_hits, store_minimum, store_transition_state

BEFORE = "minima", "connections"  # the audit
EFFORTS = 0, 10, 30, 100  # attempts to lower barriers, in turn


def network(hidden, regularization=1e-3):
    data = nnp.load_dataset("ljat", n_train=100, n_test=100, seed=0)
    return nnp.NNSystem(nnp.MLP([3, hidden, 4]), data, regularization=regularization)


LESS = {"soft_modes": 0}
FEW, LONG = LESS | {"quenches": 40}, {"untrap_attempts": 15_000}

# a system, how the early searches are cut down, and what the long one does
CASES = {
    **{f"lj{n}": (lambda n=n: nnp.LennardJonesCluster(n), LESS, {}) for n in (7, 8, 9)},
    "ljat 3-6-4": (lambda: network(6), FEW, LONG),
    "ljat 3-10-4": (lambda: network(10), FEW, LONG),
}


def search(place, system, seed, options, stages):
    """The landscape, searched."""
    land = nnp.Landscape.open_or_create(place, system, seed=seed, **options)
    land.explore(stages=stages, draw=False, **options)
    return land


def early(place, system, seed, options):
    """A search that stopped early, before its audit and after, and the seconds of both."""
    audited = place.with_name(f"{place.name}-audited")
    seconds = [
        timed(place, lambda: search(place, system, seed, options, BEFORE)),
        timed(audited, lambda: audit(place, audited, system, seed, options)),
    ]
    return nnp.Landscape.open(place), nnp.Landscape.open(audited), seconds


def audit(place, audited, system, seed, options):
    """Audit a copy of a landscape."""
    copytree(place, audited, ignore=ignore_patterns("seconds.json"))
    search(audited, system, seed, options, ("audit",))


def timed(place, work):
    """Do what fills a place, unless it is done; the CPU seconds that it took."""
    record = place / "seconds.json"
    if not record.exists():
        rmtree(place, ignore_errors=True)
        began = time.process_time()
        work()
        record.write_text(json.dumps(time.process_time() - began))
    return json.loads(record.read_text())


def take_in(database, system, land):
    """Add a landscape to another database; by id there, the minimum here."""
    same, identity = {}, system.identity
    for m in land.graph():
        same[m.id()], _ = store_minimum(database, identity, m.energy, m.coords)
    for *ends, ts in land.graph().edges(data="ts"):
        a, b = (same[m.id()] for m in ends)
        store_transition_state(
            database, identity, ts.energy, ts.coords, a, b, ts.eigenval, ts.eigenvec
        )
    return {i: m.id() for i, m in same.items()}


def best(database):
    """The graph of all that is known, as the search has it."""
    graph = nx.Graph()
    for m in database.minima():
        graph.add_node(m.id(), energy=m.energy)
    for ts in sorted(database.transition_states(), key=lambda ts: -ts.energy):
        graph.add_edge(ts.minimum1.id(), ts.minimum2.id(), energy=ts.energy)
    return graph


def truth(graph, same, before, lowest):
    """The barriers of some minima where all is known, to the minimum that was lowest."""
    graph = graph.copy()
    graph.nodes[same[lowest]]["energy"] = -np.inf
    after = barriers_of(bottlenecks(Forest(graph), {same[i] for i in before}))
    return [after[same[i]] for i in before]


def rows(case, n, work):
    """One dict for each early search."""
    make, less, more = CASES[case]
    system = make()
    place = work / case.replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    options = [{**less, "untrap_attempts": EFFORTS[k % len(EFFORTS)]} for k in range(n)]
    found = [early(place / f"{k}", system, k + 1, options[k]) for k in range(n)]
    long = search(place / "long", system, 10_000, {"audit_sample": 0, **more}, BEFORE)
    database = system.create_database()
    take_in(database, system, long)
    for _, audited, _ in found:
        take_in(database, system, audited)
    graph = best(database)
    for (land, audited, seconds), given in zip(found, options, strict=True):
        known = land.graph()
        barriers = barriers_to_lowest(known)
        before = {m.id(): b for m, b in barriers.items() if quench_hits(m)}
        lowest = lowest_minimum(known).id()
        same = take_in(database, system, land)
        after = truth(graph, same, before, lowest)
        noted = Journal(audited.database).tally["audit"]
        yield {
            "case": case,
            "attempts": given["untrap_attempts"],
            "n_minima": len(before),
            "truth": 1 - sum(after) / sum(before.values()),
            "lower": graph.nodes[same[lowest]]["energy"]
            - min(e for _, e in graph.nodes(data="energy")),
            "seconds": seconds,
            "noted": noted,
        } | (barrier_audit(noted) or {})


def holds(row):
    """Whether the truth is in the interval, but for rounding."""
    low, high = row["interval"]
    return low - 1e-9 <= row["truth"] <= high + 1e-9


def table(found):
    """Markdown: each search, and each landscape in short."""
    lines = [
        "| landscape | attempts | minima | bottlenecks | truth, % | audit, % | interval, % | holds "
        "| audit's share of CPU time, % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for row in found:
        truth, fall, low, high = (100 * x for x in (row["truth"], row["fall"], *row["interval"]))
        before, after = row["seconds"]
        lines.append(
            f"| {row['case']} | {row['attempts']} | {row['n_minima']} | {row['n_sampled']} "
            f"| {abs(truth):.1f} | {fall:.1f} | {low:.1f} to {high:.1f} "
            f"| {'yes' if holds(row) else 'no'} | {100 * after / (before + after):.0f} |"
        )
    lines += ["", "| landscape | searches | held | mean width, % | mean error, % |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for case in dict.fromkeys(row["case"] for row in found):
        rows = [row for row in found if row["case"] == case]
        width = np.mean([row["interval"][1] - row["interval"][0] for row in rows])
        error = np.mean([row["fall"] - row["truth"] for row in rows])
        held = sum(map(holds, rows))
        lines.append(
            f"| {case} | {len(rows)} | {held} | {100 * width:.1f} | {100 * error + 0.0:.1f} |"
        )
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cases = ["lj7", "lj8", "ljat 3-6-4"]
    parser.add_argument("cases", nargs="*", default=cases, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--searches", type=int, default=12, help="of each landscape")
    parser.add_argument("--work", type=Path, help="where landscapes are kept")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    pin_to_one_core()
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in options.cases:
            found += rows(case, options.searches, options.work or Path(scratch))
    lines = [
        "# The barrier audit, against the truth",
        "",
        f"{machine()}, one thread. Each line is a search of a seed of its own, stopped after so "
        "many attempts to lower barriers (soft modes not followed), then audited. Truth: how far "
        "the mean barrier falls with all that these searches, their audits and a long one found.",
        "",
        *table(found),
    ]
    write_table(lines, options.output, "audit.md")


if __name__ == "__main__":
    sys.exit(main())
