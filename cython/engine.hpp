// One engine per instruction set; all are compiled from engine_impl.hpp.
#pragma once

#include <functional>

#include "problem.hpp"

namespace nnpotential {

// Sums over the tiles first <= t < last of the given samples, without the
// penalty and without division by the number of samples. Outputs are
// overwritten.

// Those of one precision, in which all is computed but the sums of many tiles; what goes
// in and comes out is in double precision.
struct Precision {
  size_t tile_samples;
  // The loss; with `gradient` not null also the gradient.
  double (*gradient)(const Problem &, const double *x, const Samples &,
                     size_t first, size_t last, double *gradient);
  // Products of the Hessian with `n_vectors` vectors, both (n_vectors,
  // n_parameters) in C order.
  void (*product)(const Problem &, const double *x, const double *vectors,
                  size_t n_vectors, size_t first, size_t last,
                  double *products);
  // Vector functions by themselves, for their tests: 0 exp of values not
  // above 0, 1 tanh, 2 log1p of values not below 0, 3 the probability of the
  // normal distribution beyond values not below 0.
  void (*function)(int which, size_t n, const double *in, double *out);
};

struct Engine {
  const char *name;
  Precision in_double, in_single;
  // The loss and the gradient, while the second derivatives of the same tiles are
  // added to the samples; `full` is to empty these whenever they have no room left.
  double (*hessian_samples)(const Problem &, const double *x, size_t first,
                            size_t last, bool gauss_newton, double *gradient,
                            struct HessianSamples &, const std::function<void()> &full);
  // Sums the samples for one part of the upper triangle, or adds them to its sums.
  void (*hessian_part)(const Problem &, const struct HessianSamples &,
                       const struct HessianPart &, bool add, double *sums);
  // Puts those sums, times `scale`, where they belong in the matrix. Within a layer,
  // of the blocks between two units only their own upper triangles.
  void (*hessian_place)(const Problem &, const struct HessianPart &, double scale,
                        const double *sums, double *hessian);
  // The lower triangle from the upper one; gives zero, or if a value is not finite what
  // is not a number.
  double (*hessian_mirror)(size_t n_parameters, double *hessian);
};

// What the parts of the Hessian need of a run of tiles, tile by tile. Each tile has
// the room of a whole one, and rows as wide as it is itself.
struct HessianSamples {
  explicit HessianSamples(size_t capacity) : capacity(capacity) {}
  const size_t capacity;       // in tiles
  std::vector<size_t> counts;  // the samples of each tile
  std::vector<Buffer<double>> activations;  // [layer][tile][inputs + 1][sample]
  std::vector<Buffer<double>> slopes;       // [layer][tile][unit][sample]
  std::vector<Buffer<double>> delta;        // [layer][tile][unit][sample]
  // [l][m][tile][(i, k)][sample], m > l, or m = l and k >= i
  std::vector<std::vector<Buffer<double>>> G;
  // [l][m][tile][i][inputs of m + 1][sample], m > l + 1
  std::vector<std::vector<Buffer<double>>> J;
};

// What one thread sums of the block of two layers: with J (m > l + 1) the rows of
// the units first <= i < last of layer l, else those of its inputs.
struct HessianPart {
  // The sums are those of `rows` by `stride` numbers, then those of `more_rows` by
  // `more_stride` for the diagonal J of m = l + 1.
  struct Size {
    size_t rows, stride, more_rows, more_stride;
    size_t numbers() const { return rows * stride + more_rows * more_stride; }
  };
  size_t l, m, first, last;
  bool mixed;          // whether the terms with J count
  size_t at;           // of its sums among those of all parts
  Size size;

  bool by_unit() const { return mixed && m > l + 1; }
};

extern const Engine engine_baseline;
#if defined(__x86_64__)
extern const Engine engine_avx2;
extern const Engine engine_avx512;
#endif

}  // namespace nnpotential
