"""The table and the figure of `barriers.py`, from what `measure` has found of each network."""

import json

import matplotlib
import numpy as np
from contestants import OURS

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HEAD = """\
# Mean barrier to the lowest minimum against CPU time

`benchmarks/barriers.py` says what the contestants are and `benchmarks/judge.py` how they are
judged. CPU seconds of one thread, children included; contestants of a seed go one after another.
The machine is shared: whether the other hyperthread is busy or not changes what a CPU second is
worth by up to 1.5, so compare within a run. Several numbers in a cell are those of the seeds.
Of two runs of one network the longer one lets `default` come to its own end, unless it says
otherwise.

![Mean barrier against CPU seconds](barriers.png)

Above, how many minima of the common list each has joined to the lowest. Below, from when it has
joined all that it joins (a fifth of the list at least; a dot at the end), their mean barrier over
that of the same minima by all finds of all contestants together; dotted: 10 % above that. Shaded
from seed to seed.
"""
MARKS = 0.125, 0.25, 0.5, 1.0  # of the time
NEARLY = 0.9  # who joins less of the minima does not take part in the common list
SOME = 0.2  # of the minima joined, below which a mean says little
REAL = 1e-9  # difference of two barriers that counts
_COUNTS = [
    *("contestant", "minima", "transition states", "a CPU second", "ours / it"),
    *("took it s", "and ours", "it / ours"),
    *("rejected", "other minima", "share"),
]

# Okabe and Ito's colours, which the colour-blind can tell apart; dashes tell them apart in grey
_LINES = {
    "default": {"color": "#0072B2", "lw": 2.0, "zorder": 3},
    "before": {"color": "#56B4E9", "ls": "--"},
    "modes": {"color": "#56B4E9", "ls": ":"},
    "pele gmin, untrap": {"color": "#E69F00", "ls": "-"},
    "pele combine, random": {"color": "#E69F00", "ls": "--"},
    "TopSearch": {"color": "#009E73", "ls": "-."},
    "PATHSAMPLE, short band": {"color": "#D55E00", "ls": "-"},
    "PATHSAMPLE, group's": {"color": "#D55E00", "ls": ":"},
}
_BARRIER_TICKS = 1, 1.2, 1.5, 2, 3, 5, 10
_SECOND_TICKS = 1, 2, 5, 10, 20, 50, 100, 200, 500
_ROWS = 4  # of networks in the figure
_ALONE = {"color": "0.65", "lw": 0.8}


def measure(judge, results, seconds):
    """What is reported of one seed, in plain numbers.

    Parameters
    ----------
    judge : Judge
    results : dict
        (`Judged`, when it ended by itself) by contestant.
    seconds : float
    """
    ends = {name: judge.barriers(judged.rows) for name, (judged, _) in results.items()}
    joined = {name: np.isfinite(barriers) for name, barriers in ends.items()}
    most = [its for its in joined.values() if its.mean() >= NEARLY]
    compared = np.all(most, axis=0) if most else np.zeros_like(next(iter(joined.values())))
    together = judge.barriers([row for judged, _ in results.values() for row in judged.rows])
    times = np.geomspace(seconds / 40, seconds, 60)
    # the last job may end a little after the time
    marks = [mark * seconds for mark in MARKS[:-1]] + [np.inf]
    ours, contestants = ends["default"], {}
    moments = {name: sorted(row[0] for row in judged.rows) for name, (judged, _) in results.items()}
    for name, (judged, ended) in results.items():
        minima = {i for *_, two in judged.rows for i in two}
        then = [judge.barriers(judged.rows, time) for time in times]
        contestants[name] = {
            "curve": [_all_over(barriers, together, joined[name]) for barriers in then],
            "curve_joined": [int(np.isfinite(barriers).sum()) for barriers in then],
            "marks": [_mean(judge.barriers(judged.rows, mark), compared) for mark in marks],
            "joined": int(joined[name].sum()),
            "to_ours": _over(ends[name], ours),
            "to_best": _over(ends[name], together),
            "minima": len(minima.union(judge.common)),
            "states": len(judged.rows),
            "per_second": len(judged.rows) / judged.spent,
            "as_many": _as_many(moments[name], moments["default"]),
            "triples": judged.triples,
            "rejected": judged.rejected,
            "misnamed": judged.misnamed,
            "spent": judged.spent,
            "ended": None if np.isnan(ended) else ended,
        }
    return {
        "times": times.tolist(),
        "compared": int(compared.sum()),
        "together": _mean(together, compared),
        "contestants": contestants,
        "below": _below(ends),
    }


def _as_many(its, ours):
    """When it had as many transition states as both have at the end, and when ours had."""
    n = min(len(its), len(ours))
    return (its[n - 1], ours[n - 1]) if n else (None, None)


def _below(ends):
    """Every barrier of another program below ours: contestant, minimum, ours, theirs."""
    ours = ends["default"]
    return [
        (name, place, ours[place], theirs[place])
        for name, theirs in ends.items()
        if name not in OURS
        for place in np.flatnonzero(theirs < ours - REAL).tolist()
    ]


def _mean(barriers, compared):
    mean = barriers[compared].mean() if any(compared) else np.nan
    return float(mean) if np.isfinite(mean) else None


def _over(barriers, others):
    """Ratio of the means over the minima that both have joined, if these are some."""
    both = np.isfinite(barriers) & np.isfinite(others)
    return float(barriers[both].sum() / others[both].sum()) if both.mean() >= SOME else None


def _all_over(barriers, others, members):
    """The same once all members are joined, of these alone."""
    if not np.isfinite(barriers[members]).all():
        return None
    return _over(np.where(members, barriers, np.nan), others)


def report(title, found, folder):
    """Add a network to the results, and write them all anew.

    Parameters
    ----------
    title : str
    found : dict
        ``machine``, ``seconds``, ``note`` and ``seeds``, a list of what `measure` gives.
    folder : pathlib.Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "barriers.json"
    networks = json.loads(store.read_text()) if store.exists() else {}
    networks[title] = found
    store.write_text(json.dumps(networks, indent=1) + "\n")
    sections = [_section(*network) for network in networks.items()]
    (folder / "barriers.md").write_text("\n".join([HEAD, *sections]), encoding="utf-8")
    _figure(networks, folder / "barriers.png")


def _cell(values, form):
    return " / ".join("-" if value is None else format(value, form) for value in values)


def _table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "| --- |" + " ---: |" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _section(title, found):
    seeds = found["seeds"]
    names = list(seeds[0]["contestants"])

    def of(name, key):
        return [seed["contestants"][name][key] for seed in seeds]

    barriers, counts = [], []
    for name in names:
        marks = zip(*of(name, "marks"), strict=True)
        cells = [_cell([v and 1e3 * v for v in mark], ".3f") for mark in marks]
        ratios = [_cell(of(name, key), ".2f") for key in ("to_ours", "to_best")]
        barriers.append([name, _cell(of(name, "joined"), "d"), *cells, *ratios])
        pairs = zip(of(name, "per_second"), of("default", "per_second"), strict=True)
        its, ours = zip(*of(name, "as_many"), strict=True)
        times = zip(its, ours, strict=True)
        shares = zip(of(name, "misnamed"), of(name, "triples"), of(name, "rejected"), strict=True)
        judged = [(wrong, triples - rejected) for wrong, triples, rejected in shares]
        counts.append(
            [
                name,
                _cell(of(name, "minima"), "d"),
                _cell(of(name, "states"), "d"),
                _cell(of(name, "per_second"), ".2f"),
                _cell([ours / its if its else None for its, ours in pairs], ".1f"),
                _cell(its, ".1f"),
                _cell(ours, ".1f"),
                _cell([a / b if a else None for a, b in times], ".1f"),
                _cell(of(name, "rejected"), "d"),
                " / ".join(f"{wrong} of {n}" for wrong, n in judged),
                _cell([wrong / n if n else None for wrong, n in judged], ".1%"),
            ]
        )
    marks = [f"{mark * found['seconds']:.0f} s" for mark in MARKS]
    below = [
        [name, str(seed), str(place), f"{1e3 * ours:.4f}", f"{1e3 * theirs:.4f}"]
        for seed, its in enumerate(seeds)
        for name, place, ours, theirs in its["below"]
    ]
    total = _cell([its["together"] and 1e3 * its["together"] for its in seeds], ".3f")
    parts = [
        f"## {title}\n",
        f"{found['machine']}, {found['seconds']:g} CPU seconds, number of seeds: {len(seeds)}. "
        f"{found['note']}\n",
        f"Mean barrier, in 1e-3 nats per sample, of the minima of the common list that all who "
        f"joined nine tenths of it have joined ({_cell([s['compared'] for s in seeds], 'd')}); - "
        "where some are not joined yet. All finds of all contestants together give "
        f"{total}. Last columns: ratio of means at the end to `default` and to all finds together, "
        "over the minima that a contestant has joined, if these are a fifth of the list.\n",
        _table(["contestant", "joined", *marks, "it / ours", "it / best"], barriers),
        _ended(of("default", "ended")),
        "Different transition states that passed the check; as new ones become rare where most are "
        "known, also the seconds in which it, and ours, had as many as the one of both with fewer "
        "has at the end; and the share of what a program gave and passed whose two minima are not "
        "those that the gradient leads to (ours as the search first names them, before it "
        "verifies):\n",
        _table(_COUNTS, counts),
    ]
    if below:
        parts.append("Barriers of other programs below ours, in 1e-3:\n")
        parts.append(_table(["contestant", "seed", "minimum", "ours", "its"], below))
    else:
        parts.append("No barrier of another program is below ours.\n")
    return "\n".join(parts)


def _ended(ended):
    when = ["later" if t is None else f"after {t:.0f} s, and went on" for t in ended]
    return f"`default` would end by itself: {' / '.join(when)}.\n"


def _figure(networks, path):
    """How many minima each has joined, and their mean barrier over that of all finds together."""
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    columns = -(-len(networks) // _ROWS)
    rows = -(-len(networks) // columns)
    figure, axes = plt.subplots(
        2 * rows,
        columns,
        sharex=True,
        squeeze=False,
        figsize=(3.5 * columns, 1 + 2.6 * rows),
        height_ratios=[2, 3] * rows,
        layout="constrained",
    )
    pairs = list(axes.reshape(rows, 2, columns).transpose(2, 0, 1).reshape(-1, 2))
    for unused in pairs[len(networks) :]:
        for axis in unused:
            axis.set_axis_off()
    shown = {}
    for (title, found), (joined, barrier) in zip(networks.items(), pairs, strict=False):
        for name in found["seeds"][0]["contestants"]:
            label = name if name in _LINES else "one way alone"
            shown[label] = _draw(joined, found["seeds"], name, "curve_joined")
            _draw(barrier, found["seeds"], name, "curve")
        joined.set_title(title, size=8)
        joined.set(ylabel="joined", ylim=(0, 62))
        barrier.axhline(1.1, color="0.4", lw=0.6, ls=(0, (1, 3)))
        barrier.set(ylabel="barrier / best", yscale="log")
        barrier.set_yticks(_BARRIER_TICKS, _BARRIER_TICKS)
        barrier.set_ylim(0.97, max(1.3, 1.05 * barrier.dataLim.y1))
        barrier.minorticks_off()
    times = [time for found in networks.values() for time in found["seeds"][0]["times"]]
    for column in range(columns):
        _, axis = pairs[min((column + 1) * rows, len(networks)) - 1]  # the last that is used
        axis.set(xscale="log", xlabel="CPU seconds")
        axis.set_xticks(_SECOND_TICKS, _SECOND_TICKS)
        axis.set_xlim(min(times), max(times))
        axis.tick_params(labelbottom=True)
        axis.minorticks_off()
    figure.legend(
        shown.values(),
        shown,
        loc="outside lower center",
        ncols=2 * columns,
        frameon=False,
        fontsize=7,
    )
    figure.savefig(path, dpi=200)
    plt.close(figure)


def _draw(axis, seeds, name, what):
    """The mean of the seeds, shaded from the lowest to the highest; the line."""
    style = {"lw": 1.2, **_LINES.get(name, _ALONE)}
    curves = np.array([seed["contestants"][name][what] for seed in seeds], dtype=float)
    (line,) = axis.plot(seeds[0]["times"], curves.mean(axis=0), **style)
    if name in _LINES:
        spread = curves.min(axis=0), curves.max(axis=0)
        axis.fill_between(seeds[0]["times"], *spread, color=style["color"], alpha=0.15, lw=0)
    if what == "curve":
        end = seeds[0]["times"][-1], curves[:, -1].mean()
        axis.plot(*end, "o", ms=3, color=style["color"], clip_on=False)
    return line
