"""Each search option: checked, documented, and the same on the command line."""

import numpy as np

from nnpotential.search.settings import SearchSettings


def test_search_settings_are_plain():
    search = SearchSettings(quenches=np.int8(3), until_coverage=np.float16(0.5), lookahead=True + 1)
    assert type(search.quenches) is int
    assert type(search.until_coverage) is float
