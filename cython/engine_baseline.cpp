// The engine for every machine: SSE2 on x86-64, NEON on 64-bit Arm, plain
// numbers elsewhere, as the compiler's own target allows.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "engine.hpp"

namespace nnpotential {
namespace {
#define NNP_LANES 2
#include "engine_impl.hpp"
}  // namespace

const Engine engine_baseline = {"baseline",       gradient,      product,      hessian_samples,
                              hessian_part, hessian_place, function};
}  // namespace nnpotential
