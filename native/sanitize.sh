#!/bin/sh
# Builds the kernel with a sanitizer and runs its tests on it, every code path of this machine.
#
#   native/sanitize.sh address     memory errors and undefined behaviour
#   native/sanitize.sh thread      data races
#
# More arguments go to pytest. Needs GCC or Clang and its sanitizers' libraries, CMake, nanobind and the test
# requirements.
set -eu
mode=${1:-address}
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/.." && pwd)
compiler=${CXX:-c++}
case $mode in
  address) flags=address,undefined library=libasan.so tests="" ;;
  thread) flags=thread library=libtsan.so tests="threads or plans or slices or gradients_of_any or stop or evaluate or larger or solved or exchange or lattice or derivatives" ;;
  *) echo "usage: native/sanitize.sh address|thread [PYTEST ARGUMENTS]" >&2; exit 2 ;;
esac
build=$root/build/$mode

cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" \
  -DPython_EXECUTABLE="$(command -v python)" -DPARTINR_OPTIMISATION=-O1 \
  -DCMAKE_CXX_FLAGS="-fsanitize=$flags -fno-sanitize-recover=all -fno-omit-frame-pointer" > /dev/null
cmake --build "$build"

# The package as it is, with this kernel.
rm -rf "$build/package"
mkdir -p "$build/package"
cp -R "$root/src/partinr" "$build/package/"
rm -f "$build/package/partinr"/_native*.so
cp "$build"/_native*.so "$build/package/partinr/"

# Python itself is not instrumented: it leaks on purpose, and torch's threads synchronise out of sight. The sanitizer
# looks for the functions that throw exceptions when it is loaded, so their library comes with it.
PYTHONPATH=$build/package \
  LD_PRELOAD="$("$compiler" -print-file-name=$library) $("$compiler" -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
  TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" OMP_NUM_THREADS=1 \
  python -m pytest -q -p no:cacheprovider -c "$root/pyproject.toml" ${tests:+-k "$tests"} "$@" \
  "$root/tests/model/test_kernel.py" "$root/tests/model/test_lattice.py" "$root/tests/model/test_means.py" \
  "$root/tests/model/test_derivatives.py" \
  "$root/tests/engines/test_engines.py" "$root/tests/fitting/test_overlap.py" \
  "$root/tests/file/test_range_coder.py" "$root/tests/file/test_spectra_coding.py" "$root/tests/file/test_compact.py"
