"""Pictures of points, drawn flat: what pele's GUI shows in space, small and for paper."""

import numpy as np

__all__ = ["draw_picture"]

_THICKEST = 1.6  # points, of the largest weight
_MARGIN = 0.05


def draw_picture(axes, picture, width, height):
    """Draw a `Picture` into axes of its own, as seen from the front, in the room there is.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    picture : Picture
    width, height : float
        Of the axes, in any unit: their ratio is wanted.
    """
    from matplotlib.collections import EllipseCollection, LineCollection

    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    ends, centres = picture.lines[..., :2], picture.centres[:, :2]
    corners = np.concatenate([ends.reshape(-1, 2), centres - picture.radius])
    corners = np.concatenate([corners, centres + picture.radius])
    middle = (corners.min(0) + corners.max(0)) / 2
    # nothing is stretched: atoms stay round
    half = (0.5 + _MARGIN) * max(np.ptp(corners, axis=0) / (width, height)) or 1.0
    axes.set_xlim(middle[0] - half * width, middle[0] + half * width)
    axes.set_ylim(middle[1] - half * height, middle[1] + half * height)
    axes.add_collection(
        LineCollection(
            ends,
            colors=picture.colours,
            linewidths=0.3 + _THICKEST * picture.sizes,
            zorder=1,
        )
    )
    order = np.argsort(picture.centres[:, 2], kind="stable")  # the nearest are drawn last
    if len(order):
        faces = np.where(picture.hollow[:, None], 1.0, _shaded(picture))
        size = 2 * picture.radius
        axes.add_collection(
            EllipseCollection(
                *(np.full(len(order), extent) for extent in (size, size, 0.0)),
                units="xy",
                offsets=centres[order],
                offset_transform=axes.transData,
                facecolors=faces[order],
                edgecolors="black",
                linewidths=0.3,
                zorder=2,
            )
        )


def _shaded(picture):
    """What is further away is paler."""
    depth = picture.centres[:, 2]
    behind = (depth.max() - depth) / (np.ptp(depth) or 1.0)
    return picture.tints + 0.6 * behind[:, None] * (1 - picture.tints)
