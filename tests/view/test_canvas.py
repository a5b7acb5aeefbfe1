"""Numbers on logarithmic axes do not run into each other."""

from itertools import pairwise

import pytest

from nnpotential.view.canvas import ONE_COLUMN, canvas, label_decades


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0110, 0.0558), (0.277, 0.786), (0.42, 0.48), (1e-6, 0.04), (0.9, 15.0), (0.3, 3.5)],
)
def test_labels_of_few_decades_stay_apart(tmp_path, low, high):
    with canvas("a line", [tmp_path / "a.png"], ONE_COLUMN, 2.0) as page:
        axes = page.add_subplot()
        axes.loglog([low, high], [1.0, 2.0])
        label_decades(axes.xaxis)
    page.draw_without_rendering()  # at the size that is measured here
    labels = [label for label in axes.get_xticklabels() if label.get_text()]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    inside = [b for b in boxes if axes.bbox.x0 - 1 <= (b.x0 + b.x1) / 2 <= axes.bbox.x1 + 1]
    assert len(inside) >= 2
    assert all(left.x1 < right.x0 for left, right in pairwise(inside))
