"""Only builds the extension; everything else is in pyproject.toml."""

from importlib.metadata import version

import numpy
import pele
from Cython.Build import cythonize
from setuptools import Extension, setup

kernel = Extension(
    "nnpotential._kernel",
    sources=["cython/_kernel.pyx", "cython/kernel.cpp"],
    depends=["cython/kernel.hpp", "cython/pele_potential.hpp"],
    include_dirs=["cython", numpy.get_include(), pele.get_include(), pele.get_include() + "/pele"],
    define_macros=[
        ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
        ("NNPOTENTIAL_PELE_VERSION", version("pele")),
    ],
    # -fopenmp-simd vectorises the marked sums; it links no OpenMP runtime.
    extra_compile_args=["-O3", "-std=c++17", "-fopenmp-simd"],
    language="c++",
)

setup(ext_modules=cythonize([kernel]))
