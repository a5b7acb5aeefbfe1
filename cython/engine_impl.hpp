// All of an engine. Included once per instruction set, in a namespace of its own,
// with NNP_LANES defined; so are the headers here, in this order.

#include "simd.hpp"
#include "blocks.hpp"
#include "activations.hpp"
#include "losses.hpp"
#include "forward.hpp"
#include "gradient.hpp"
#include "product.hpp"
#include "hessian.hpp"

static void function(int which, size_t n, const double *in, double *out) {
  double values[NNP_LANES];
  for (size_t i = 0; i < n; i += NNP_LANES) {
    const size_t left = n - i < NNP_LANES ? n - i : NNP_LANES;
    for (size_t k = 0; k < NNP_LANES; ++k) values[k] = k < left ? in[i + k] : 0;
    const V v = load(values);
    V density;
    store(values, which == 0   ? exp_nonpositive(v)
                  : which == 1 ? tanh_(v)
                  : which == 2 ? log1p_nonnegative(v)
                               : normal_tail(v, density));
    for (size_t k = 0; k < left; ++k) out[i + k] = values[k];
  }
}
