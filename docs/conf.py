"""The site: ``sphinx-build -W -n docs site``. A page more is a line in ``index.md``."""

from importlib.metadata import version as installed
from importlib.util import find_spec

project = "nnpotential"
author = "The nnpotential developers"
version = release = installed("nnpotential")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "nnpotential"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings have them
autodoc_mock_imports = [name for name in ("torch",) if find_spec(name) is None]
numpydoc_show_class_members = False  # they follow anyway
numpydoc_class_members_toctree = False
nitpick_ignore = [("py:obj", "engine")]  # an attribute of the kernel, which has no page
