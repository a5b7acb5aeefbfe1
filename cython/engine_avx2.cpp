// The engine for AVX2. The target holds for the project's own code only: what
// the standard headers define must run everywhere.
#if defined(__x86_64__)
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "engine.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace nnpotential {
namespace {
#define NNP_BYTES 32
#include "engine_impl.hpp"
}  // namespace

const Engine engine_avx2 = NNP_ENGINE("avx2");
}  // namespace nnpotential

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
