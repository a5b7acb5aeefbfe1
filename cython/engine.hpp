// One engine per instruction set; all are compiled from engine_impl.hpp.
#pragma once

#include "problem.hpp"

namespace nnpotential {

// Sums over the tiles first <= t < last of the given samples, without the
// penalty and without division by the number of samples. Outputs are
// overwritten.
struct Engine {
  const char *name;
  // The loss; with `gradient` not null also the gradient.
  double (*gradient)(const Problem &, const double *x, const Samples &,
                     size_t first, size_t last, double *gradient);
  // Products of the Hessian with `n_vectors` vectors, both (n_vectors,
  // n_parameters) in C order.
  void (*product)(const Problem &, const double *x, const double *vectors,
                  size_t n_vectors, size_t first, size_t last,
                  double *products);
  // Prepares the tiles first <= t < last for `hessian_part`.
  void (*hessian_samples)(const Problem &, const double *x, size_t first,
                          size_t last, bool gauss_newton,
                          struct HessianSamples &);
  // Adds the prepared samples to one part of the upper triangle. Within a layer,
  // of the blocks between two units only their own upper triangles.
  void (*hessian_part)(const Problem &, const struct HessianSamples &,
                       const struct HessianPart &, double *hessian);
  // Vector functions by themselves, for their tests: 0 exp of values not
  // above 0, 1 tanh, 2 log1p of values not below 0, 3 the probability of the
  // normal distribution beyond values not below 0.
  void (*function)(int which, size_t n, const double *in, double *out);
};

// What the parts of the Hessian need of a run of samples.
struct HessianSamples {
  explicit HessianSamples(size_t capacity) : capacity(capacity) {}
  const size_t capacity;  // the stride wherever samples lie side by side
  size_t count = 0;
  std::vector<Buffer> activations;  // [layer][sample][inputs + 1, padded]
  std::vector<size_t> stride;       // of those rows
  std::vector<Buffer> slopes;       // [layer][sample][unit, padded]
  std::vector<Buffer> delta;        // [layer][unit][sample]
  std::vector<std::vector<Buffer>> G;  // [l][m][(i, k)][sample], m > l, or m = l and k >= i
  std::vector<std::vector<Buffer>> J;  // [l][m][i][sample][inputs of m, padded], m > l + 1
  bool mixed = true;  // whether the terms with J count
};

// What one thread sums of the block of two layers: with J (m > l + 1) the rows of
// the units first <= i < last of layer l, else those of its inputs.
struct HessianPart {
  size_t l, m, first, last;
  bool mixed;
};

extern const Engine engine_baseline;
#if defined(__x86_64__)
extern const Engine engine_avx2;
extern const Engine engine_avx512;
#endif

}  // namespace nnpotential
