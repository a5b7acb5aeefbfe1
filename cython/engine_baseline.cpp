// The engine for every machine: SSE2 on x86-64, NEON on 64-bit Arm, plain
// numbers elsewhere, as the compiler's own target allows.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "engine.hpp"

namespace nnpotential {
namespace {
#define NNP_BYTES 16
#include "engine_impl.hpp"
}  // namespace

const Engine engine_baseline = NNP_ENGINE("baseline");
}  // namespace nnpotential
