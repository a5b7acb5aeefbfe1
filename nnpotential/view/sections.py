"""Sections of a landscape, drawn: contours of a plane, and lines along eigenvectors."""

import numpy as np

from .canvas import COLOURS, ONE_COLUMN, canvas

__all__ = ["draw_plane", "draw_profiles"]

_LEVELS = 24
_WALL = 10  # times the highest point between the minima: what is above has one colour


def draw_plane(system, found, ids, paths):
    """Draw a `Plane` into files.

    Parameters
    ----------
    system : LandscapeSystem
    found : Plane
    ids : sequence of int
        Of the three minima.
    paths : sequence of path
    """
    with canvas("the plane", paths, ONE_COLUMN, 3.4) as page:
        axes = page.add_subplot()
        base = found.energies.min()
        above = np.maximum(found.energies - base, 1e-6 * np.ptp(found.energies))
        # from the scale of the minima to that of the walls, which may be a million times higher
        top = min(above.max(), _WALL * above[_between(found)].max(initial=0.0))
        floor = max(np.quantile(above, 0.01), 1e-4 * top)
        levels = np.geomspace(floor, top, _LEVELS)
        heights = np.clip(above, floor, top)
        drawn = axes.contourf(found.across, found.up, heights, levels, norm="log", cmap="viridis")
        axes.contour(
            found.across, found.up, above, levels[::2], colors="white", linewidths=0.3, alpha=0.6
        )
        for number, (x, y) in zip(ids, found.corners, strict=True):
            axes.plot(x, y, "o", color=COLOURS[1], markersize=4, mec="white", mew=0.5)
            axes.annotate(
                str(number),
                (x, y),
                xytext=(4, 4),
                textcoords="offset points",
                color="white",
                fontsize=7,
            )
        axes.set_aspect("equal")
        axes.set_xlabel(f"distance from minimum {ids[0]}{_stated(found.shares)}")
        axes.set_ylabel("distance")
        label = f"{system.energy_label},\nabove {base:.6g}"
        ticks = 10.0 ** np.arange(np.ceil(np.log10(levels[0])), np.log10(levels[-1]) + 1e-9)
        page.colorbar(drawn, ax=axes, label=label, ticks=ticks, fraction=0.05, pad=0.02)


def _between(found):
    """Which points of a plane lie within the triangle of its minima."""
    origin, *ends = found.corners
    points = np.stack(np.meshgrid(found.across, found.up), axis=-1) - origin
    weights = points @ np.linalg.inv(np.array(ends) - origin)
    return (weights >= 0).all(axis=-1) & (weights.sum(axis=-1) <= 1)


def _stated(shares):
    """What a plane shows of the distances to other minima, for below its axis."""
    if not len(shares):
        return ""
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return (
        f"\nthis plane holds {100 * middle:.1f} % ({100 * low:.1f} to {100 * high:.1f}) of the "
        f"squared\ndistances to other minima ({len(shares)})"
    )


def draw_profiles(system, found, number, paths):
    """Draw `Profiles` into files; `number` is the id of the minimum."""
    with canvas("the profiles", paths, ONE_COLUMN, 3.0) as page:
        axes = page.add_subplot()
        base = found.harmonic.min()
        for k, (line, curve) in enumerate(zip(found.energies, found.harmonic, strict=True)):
            colour = COLOURS[k % len(COLOURS)]
            share = ""
            if len(found.shares):
                share = f", {100 * np.median(found.shares[:, k]):.1f} %"
            label = f"{k + 1}: curvature {found.eigenvalues[k]:.2g}{share}"
            axes.plot(found.distances, line - base, color=colour, linewidth=1, label=label)
            axes.plot(found.distances, curve - base, ":", color=colour, linewidth=0.8)
        # walls may be as high as they like: it is the parabolas that are compared with
        top = min(np.quantile(found.energies - base, 0.95), 4 * np.ptp(found.harmonic))
        axes.set_ylim(-0.05 * top, 1.2 * top)
        stated = ""
        if len(found.shares):
            stated = (
                f"\n%: median share of squared\ndistances to other minima ({len(found.shares)})"
            )
        axes.set_xlabel(
            f"distance from minimum {number}, softest modes\n(dotted: harmonic){stated}"
        )
        axes.set_ylabel(f"{system.energy_label},\nabove {base:.6g}")
        axes.locator_params(axis="x", nbins=5)
        axes.legend(frameon=False, fontsize=6)
