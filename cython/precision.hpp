// What an engine does in one precision. Included once per instruction set and precision,
// after the vectors and functions of that, in its namespace; so are the headers here, in
// this order.

using Buffer = nnpotential::Buffer<Real>;
using Tile = nnpotential::Tile<Real>;
constexpr size_t tile_samples = nnpotential::tile_samples<Real>;

#include "blocks.hpp"
#include "activations.hpp"
#include "losses.hpp"
#include "forward.hpp"
#include "gradient.hpp"
#include "product.hpp"

static void function(int which, size_t n, const double *in, double *out) {
  Real values[lanes];
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i < lanes ? n - i : lanes;
    for (size_t k = 0; k < lanes; ++k) values[k] = k < left ? in[i + k] : 0;
    const V v = load(values);
    V density;
    store(values, which == 0   ? exp_nonpositive(v)
                  : which == 1 ? tanh_(v)
                  : which == 2 ? log1p_nonnegative(v)
                               : normal_tail(v, density));
    for (size_t k = 0; k < left; ++k) out[i + k] = values[k];
  }
}

constexpr Precision precision = {tile_samples, gradient, product, function};
