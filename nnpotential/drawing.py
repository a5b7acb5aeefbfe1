"""What a system shows of a point: spheres and lines, painted in OpenGL in pele's GUI.

Pictures are plain arrays. OpenGL is imported where one is painted; figures draw them flat.
"""

from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

__all__ = [
    "NEGATIVE",
    "POSITIVE",
    "Picture",
    "atoms_picture",
    "box_picture",
    "network_picture",
    "paint",
    "profile_picture",
]

# blue and vermilion stay apart for every kind of colour vision
# (M. Okabe and K. Ito, Color Universal Design, 2008)
POSITIVE = np.array([0.0, 0.447, 0.698])
NEGATIVE = np.array([0.835, 0.369, 0.0])
_GREY = np.array([0.6, 0.6, 0.6])
_DARK = np.array([0.15, 0.15, 0.15])

_WIDTH, _HEIGHT = 6.0, 5.6  # of a picture, within what pele's camera sees of a square
_WIDEST = 1.7  # of a picture in a wide window, in widths
_BEHIND = np.array([0.0, 0.0, -4.0])  # where the second of two pictures stands
_THICKEST, _THINNEST = 7.0, 2.5  # pixels of the largest weight; what every driver draws
_ROOM = 200  # lines beyond which they are thinner
_CLASSES = 8  # thicknesses: OpenGL sets one for all lines of a call
_MOST_LINES, _MOST_BARS = 5000, 1000
_LIFT = 0.05
_ENDS = (-1.0, 1.0)
_ROWS, _LINE, _LETTER = 3, 0.25, 0.11  # of labels: rows, their height, width of a letter
_TITLE = np.array([-_WIDTH / 2, _HEIGHT / 2 + 0.1, 0.0])
_NOISE = 1e-6  # of coordinates, seen as zero where there are no larger ones
_DEAD = 1e-4  # of the largest weight of a layer


@dataclass(frozen=True)
class Picture:
    """Spheres and lines.

    Parameters
    ----------
    centres : ndarray, shape (n, 3)
    radius : float
    tints : ndarray, shape (n, 3)
        Colour of each sphere.
    hollow : ndarray of bool, shape (n,)
        Which spheres are a wire frame.
    lines : ndarray, shape (m, 2, 3)
        Ends.
    sizes : ndarray, shape (m,)
        Thickness of each, from 0 to 1.
    colours : ndarray, shape (m, 3)
    labels : sequence of (str, ndarray)
        Text and where it begins.
    """

    centres: np.ndarray
    radius: float
    tints: np.ndarray
    hollow: np.ndarray
    lines: np.ndarray
    sizes: np.ndarray
    colours: np.ndarray
    labels: tuple = ()


def network_picture(layers):
    """Units as spheres in columns, weights as lines between them.

    A weight is as thick as it is large, and blue or vermilion by its sign; a
    unit is tinted in the same way by its bias. A hidden unit whose incoming or
    outgoing weights all vanish is dead: hollow. Of more than 5000 weights the
    largest are drawn.

    Parameters
    ----------
    layers : list of (ndarray, ndarray)
        Weights ``(n_out, n_in)`` and biases ``(n_out,)``, as from `MLP.split`.

    Returns
    -------
    Picture
    """
    sizes = [layers[0][0].shape[1], *(len(weights) for weights, _ in layers)]
    columns = [
        _column(n, x)
        for n, x in zip(sizes, np.linspace(-_WIDTH / 2, _WIDTH / 2, len(sizes)), strict=True)
    ]
    tints = [np.tile(_DARK, (sizes[0], 1))]
    largest = max((np.abs(b).max() for _, b in layers if b.size), default=0.0)
    for weights, bias in layers:
        bias = bias if bias.size else np.zeros(len(weights))
        tints.append(_by_sign(bias, np.abs(bias) / (largest or 1.0), _GREY))
    lines = [
        np.stack([np.broadcast_to(a, (len(b), *a.shape)), np.repeat(b[:, None], len(a), 1)], 2)
        for a, b in pairwise(columns)
    ]
    lines = np.concatenate([part.reshape(-1, 2, 3) for part in lines])
    weights = np.concatenate([weights.ravel() for weights, _ in layers])
    order = np.argsort(np.abs(weights), kind="stable")[-_MOST_LINES:]
    lines, weights = lines[order], weights[order]
    # the largest are painted last, and lie a little above the others
    lines[:, :, 2] = np.linspace(0.0, _LIFT, len(lines))[:, None]
    thickness = np.abs(weights) / (np.abs(weights).max(initial=0.0) or 1.0)
    white = np.ones(3)
    return Picture(
        centres=np.concatenate(columns),
        radius=min(0.22, 0.42 * _spacing(max(sizes))),
        tints=np.concatenate(tints),
        hollow=np.concatenate([np.zeros(sizes[0], bool), *_dead(layers)]),
        lines=lines,
        sizes=thickness,
        colours=_by_sign(weights, 0.2 + 0.8 * thickness, white),
    )


def _spacing(n):
    return min(0.9, _HEIGHT / n)


def _column(n, x):
    """Centres of the units of a layer, the first at the top."""
    return np.column_stack([np.full(n, x), _spacing(n) * ((n - 1) / 2 - np.arange(n)), np.zeros(n)])


def atoms_picture(centres, others=None, lines=()):
    """Atoms as spheres, those of another species in another colour.

    Parameters
    ----------
    centres : ndarray, shape (n, 3)
        In diameters.
    others : ndarray of bool, shape (n,), optional
    lines : ndarray, shape (m, 2, 3)
        Such as the edges of a box.

    Returns
    -------
    Picture
    """
    n, lines = len(centres), np.reshape(lines, (-1, 2, 3))
    others = np.zeros(n, bool) if others is None else others
    return Picture(
        centres=centres,
        radius=0.5,
        tints=np.where(others[:, None], NEGATIVE, POSITIVE),
        hollow=np.zeros(n, bool),
        lines=lines,
        sizes=np.full(len(lines), 0.25),
        colours=np.tile(_GREY, (len(lines), 1)),
    )


def box_picture(length):
    """The edges of a cube about the origin."""
    corners = 0.5 * length * np.array([[x, y, z] for x in _ENDS for y in _ENDS for z in _ENDS])
    edges = [(a, b) for a, b in combinations(corners, 2) if np.count_nonzero(a - b) == 1]
    return Picture(
        centres=np.empty((0, 3)),
        radius=0.0,
        tints=np.empty((0, 3)),
        hollow=np.empty(0, bool),
        lines=np.array(edges),
        sizes=np.full(len(edges), 0.25),
        colours=np.tile(_GREY, (len(edges), 1)),
    )


def profile_picture(x, parts=None):
    """Coordinates as a row of bars, upwards from zero where they are positive.

    The largest in size has the full height, and is told. Of more than 1000 each bar is the
    largest of its neighbours.

    Parameters
    ----------
    x : ndarray, shape (n,)
    parts : dict, optional
        Begin and end of stretches of `x`, by a name that is written below where there is room.

    Returns
    -------
    Picture
    """
    x = np.asarray(x, dtype=float)
    n = x.size
    if x.size > _MOST_BARS:
        x = np.array([part[np.abs(part).argmax()] for part in np.array_split(x, _MOST_BARS)])
    at = _WIDTH * ((np.arange(x.size) + 0.5) / x.size - 0.5)
    largest = np.abs(x).max(initial=0.0)
    height = 0.5 * _HEIGHT * x / max(largest, _NOISE)
    zero = np.zeros_like(x)
    bars = np.stack([np.stack([at, y, zero], 1) for y in (zero, height)], 1)
    axis = np.array([[[-_WIDTH / 2, 0, 0], [_WIDTH / 2, 0, 0]]])
    starts = {name: _WIDTH * (begin / n - 0.5) for name, (begin, _) in (parts or {}).items()}
    bounds = [[[at, -_HEIGHT / 2, 0], [at, _HEIGHT / 2, 0]] for at in [*starts.values()][1:]]
    bounds = np.array(bounds).reshape(-1, 2, 3)
    thickness = min(1.0, 30 / x.size)
    return Picture(
        centres=np.empty((0, 3)),
        radius=0.0,
        tints=np.empty((0, 3)),
        hollow=np.empty(0, bool),
        lines=np.concatenate([bars, axis, bounds]),
        sizes=np.array([*np.full(x.size, thickness), 0.0, *np.zeros(len(bounds))]),
        colours=np.vstack(
            [_by_sign(x, np.ones(x.size), _GREY), _DARK, np.tile(_GREY, (len(bounds), 1))]
        ),
        labels=(*_labels(starts), (f"largest: {largest:.3g}", _TITLE)),
    )


def _labels(starts):
    """Names below where each begins, in rows, as far as there is room."""
    ends = np.full(_ROWS, -np.inf)
    for name, at in starts.items():
        free = np.flatnonzero(ends <= at)
        if len(free):
            ends[free[0]] = at + _LETTER * (len(name) + 1)
            yield name, np.array([at, -_HEIGHT / 2 - _LINE * (free[0] + 1), 0.0])


def _by_sign(values, strengths, neutral):
    """A colour for each value: from `neutral` to that of its sign."""
    signs = np.where(np.asarray(values)[:, None] >= 0, POSITIVE, NEGATIVE)
    return neutral + np.asarray(strengths)[:, None] * (signs - neutral)


def _dead(layers):
    """For each layer but the inputs which of its units have no effect, or a constant one."""
    small = [np.abs(w) <= _DEAD * np.abs(w).max(initial=0.0) for w, _ in layers]
    for into, out in pairwise(small):
        yield into.all(1) | out.all(0)
    yield np.zeros(len(small[-1]), bool)


def paint(picture, index, to_scale=False):
    """Paint a picture in the current OpenGL context.

    Parameters
    ----------
    picture : Picture
    index : {1, 2}
        The second of two pictures on a screen stands behind the first, and is paler.
    to_scale : bool
        Else the picture is as wide as the window allows.
    """
    from OpenGL import GL

    *_, width, height = GL.glGetIntegerv(GL.GL_VIEWPORT)
    if not to_scale:
        picture = _stretched(picture, min(width / max(height, 1), _WIDEST))
    pale = 0.0 if index == 1 else 0.45
    GL.glPushAttrib(GL.GL_ENABLE_BIT | GL.GL_LINE_BIT | GL.GL_CURRENT_BIT | GL.GL_LIGHTING_BIT)
    GL.glPushMatrix()
    if index != 1:
        GL.glTranslatef(*_BEHIND)
    GL.glDisable(GL.GL_LIGHTING)
    _paint_lines(GL, picture, pale)
    _paint_spheres(GL, picture, pale)
    _paint_labels(GL, picture, pale)
    GL.glPopMatrix()
    GL.glPopAttrib()


def _stretched(picture, share):
    """As wide as the window allows: the camera sees a fixed height."""
    across = np.array([share, 1.0, 1.0])
    return replace(
        picture,
        centres=picture.centres * across,
        lines=picture.lines * across,
        labels=[(text, at * across) for text, at in picture.labels],
        radius=picture.radius * min(share, 1.0),
    )


def _paint_lines(GL, picture, pale):
    GL.glEnable(GL.GL_LINE_SMOOTH)
    GL.glEnable(GL.GL_BLEND)
    GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
    GL.glEnableClientState(GL.GL_VERTEX_ARRAY)
    GL.glEnableClientState(GL.GL_COLOR_ARRAY)
    crowded = np.sqrt(_ROOM / len(picture.lines))
    thickest = np.clip(crowded * _THICKEST, _THINNEST, _THICKEST)
    classes = np.ceil(_CLASSES * picture.sizes)
    for number in np.unique(classes):
        these = classes == number
        ends = np.ascontiguousarray(picture.lines[these].reshape(-1, 3), dtype=np.float32)
        colours = np.repeat(_paler(picture.colours[these], pale), 2, axis=0).astype(np.float32)
        GL.glLineWidth(max(1.0, thickest * number / _CLASSES))
        GL.glVertexPointer(3, GL.GL_FLOAT, 0, ends)
        GL.glColorPointer(3, GL.GL_FLOAT, 0, colours)
        GL.glDrawArrays(GL.GL_LINES, 0, len(ends))
    GL.glDisableClientState(GL.GL_COLOR_ARRAY)
    GL.glDisableClientState(GL.GL_VERTEX_ARRAY)


def _paint_spheres(GL, picture, pale):
    from OpenGL import GLU

    if not len(picture.centres):
        return
    full, frame = GLU.gluNewQuadric(), GLU.gluNewQuadric()
    GLU.gluQuadricDrawStyle(frame, GLU.GLU_LINE)
    GL.glLineWidth(1.0)
    fine = 24 if len(picture.centres) < 300 else 8
    for centre, tint, hollow in zip(
        picture.centres, _paler(picture.tints, pale), picture.hollow, strict=True
    ):
        GL.glPushMatrix()
        GL.glTranslatef(*centre)
        if hollow:
            GL.glDisable(GL.GL_LIGHTING)
            GL.glColor3f(*_paler(_DARK, pale))
            GLU.gluSphere(frame, picture.radius, 10, 6)
        else:
            GL.glEnable(GL.GL_LIGHTING)
            GL.glMaterialfv(GL.GL_FRONT_AND_BACK, GL.GL_DIFFUSE, [*tint, 1.0])
            GLU.gluSphere(full, picture.radius, fine, fine)
        GL.glPopMatrix()
    for quadric in (full, frame):
        GLU.gluDeleteQuadric(quadric)


def _paint_labels(GL, picture, pale):
    if not picture.labels:
        return
    from OpenGL import GLUT

    GL.glDisable(GL.GL_LIGHTING)
    GL.glColor3f(*_paler(_DARK, pale))  # before the position, which takes it up
    for text, at in picture.labels:
        GL.glRasterPos3f(*at)
        GLUT.glutBitmapString(GLUT.GLUT_BITMAP_HELVETICA_12, text.encode("latin-1", "replace"))


def _paler(colours, share):
    return colours + share * (1.0 - colours)
