"""Only builds the extension; everything else is in pyproject.toml."""

import os
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from importlib.metadata import version

import numpy
import pele
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Build(build_ext):
    """As many sources at once as there are processors."""

    def build_extension(self, extension):
        compile_some = self.compiler.compile

        def compile_all(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: compile_some([source], **options), sources)
                return [one for some in objects for one in some]

        self.compiler.compile = compile_all
        super().build_extension(extension)


kernel = Extension(
    "nnpotential._kernel",
    sources=[
        "cython/_kernel.pyx",
        "cython/kernel.cpp",
        "cython/pool.cpp",
        "cython/engine_baseline.cpp",
        "cython/engine_avx2.cpp",
        "cython/engine_avx512.cpp",
    ],
    depends=glob("cython/*.hpp"),
    include_dirs=["cython", numpy.get_include(), pele.get_include(), pele.get_include() + "/pele"],
    define_macros=[
        ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
        ("NNPOTENTIAL_PELE_VERSION", version("pele")),
    ],
    # Nothing for this machine alone: the engines name their instruction sets
    # themselves and are chosen at run time. -Wno-psabi: vectors wider than the
    # baseline never cross from one file to another.
    extra_compile_args=["-O3", "-std=c++17", "-Wno-psabi"],
    language="c++",
)

setup(ext_modules=cythonize([kernel]), cmdclass={"build_ext": Build})
