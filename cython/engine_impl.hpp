// Loss, gradient, Hessian and Hessian-vector products of one tile after the
// other. Included once per instruction set, after simd.hpp, in its namespace.

#include "activations.hpp"
#include "losses.hpp"

constexpr size_t fold_tiles = 16;   // tiles summed plainly, then compensated
constexpr size_t lane_budget = 256;  // parameters whose sums stay in lanes

NNP_INLINE void copy(size_t n, const double *from, double *to) {
  for (size_t i = 0; i < n; i += NNP_LANES) store(to + i, load(from + i));
}

// Register blocks: rows by vectors, within the registers of the instruction set.
constexpr int block_rows = NNP_LANES == 8 ? 6 : 4;
constexpr int block_vectors = NNP_LANES == 8 ? 4 : 2;

// Y[r][s] (+)= bias[r] + sum_k matrix[r rs + k cs] A[k][s] for R rows and NV vectors
template <int R, int NV>
NNP_INLINE void multiply_block(size_t K, const double *matrix, size_t rs,
                               size_t cs, const double *A, size_t width,
                               const double *bias, bool add, double *Y) {
  V acc[R][NV];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) {
      acc[r][v] = add ? load(Y + r * width + v * NNP_LANES) : V{};
      if (bias) acc[r][v] += splat(bias[r]);
    }
  for (size_t k = 0; k < K; ++k) {
    V a[NV];
    for (int v = 0; v < NV; ++v) a[v] = load(A + k * width + v * NNP_LANES);
    for (int r = 0; r < R; ++r) {
      const V w = splat(matrix[r * rs + k * cs]);
      for (int v = 0; v < NV; ++v) acc[r][v] += w * a[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) store(Y + r * width + v * NNP_LANES, acc[r][v]);
}

template <int R>
static void multiply_rows(size_t K, const double *matrix, size_t rs, size_t cs,
                          const double *A, size_t width, const double *bias,
                          bool add, double *Y) {
  size_t s = 0;
  constexpr size_t step = block_vectors * NNP_LANES;
  for (; s + step <= width; s += step)
    multiply_block<R, block_vectors>(K, matrix, rs, cs, A + s, width, bias, add,
                                     Y + s);
  for (; s < width; s += NNP_LANES)
    multiply_block<R, 1>(K, matrix, rs, cs, A + s, width, bias, add, Y + s);
}

static void multiply(size_t rows, size_t K, const double *matrix, size_t rs,
                     size_t cs, const double *A, size_t width,
                     const double *bias, bool add, double *Y) {
  size_t r = 0;
  while (r < rows) {
    const size_t left = rows - r;
    const double *m = matrix + r * rs, *b = bias ? bias + r : nullptr;
    double *y = Y + r * width;
    size_t done;
    // 5 + 5 rather than 6 + 4, 4 + 4 rather than 6 + 2
    if (block_rows == 6 && left != 5 && left != 10 && left != 8 && left != 4 &&
        left >= 6) {
      multiply_rows<6>(K, m, rs, cs, A, width, b, add, y), done = 6;
    } else if (block_rows == 6 && left >= 5 && left != 8) {
      multiply_rows<5>(K, m, rs, cs, A, width, b, add, y), done = 5;
    } else if (left >= 4) {
      multiply_rows<4>(K, m, rs, cs, A, width, b, add, y), done = 4;
    } else if (left == 3) {
      multiply_rows<3>(K, m, rs, cs, A, width, b, add, y), done = 3;
    } else if (left == 2) {
      multiply_rows<2>(K, m, rs, cs, A, width, b, add, y), done = 2;
    } else {
      multiply_rows<1>(K, m, rs, cs, A, width, b, add, y), done = 1;
    }
    r += done;
  }
}

// Sums over samples of one parameter each: kept in whole vectors while there
// are few parameters, as plain numbers where there are many.
struct Sums {
  double *data;
  bool lanes;
};

NNP_INLINE void add(const Sums &sums, size_t at, V value) {
  if (sums.lanes) {
    double *p = sums.data + at * NNP_LANES;
    store(p, load(p) + value);
  } else {
    sums.data[at] += sum(value);
  }
}

// sums[r K + k] += sum_s D[r][s] A[k][s]
template <int R, int C>
NNP_INLINE void outer_block(size_t width, const double *D, const double *A,
                            size_t K, const Sums &sums, size_t at) {
  V acc[R][C] = {};
  for (size_t s = 0; s < width; s += NNP_LANES) {
    V a[C];
    for (int c = 0; c < C; ++c) a[c] = load(A + c * width + s);
    for (int r = 0; r < R; ++r) {
      const V d = load(D + r * width + s);
      for (int c = 0; c < C; ++c) acc[r][c] += d * a[c];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) add(sums, at + r * K + c, acc[r][c]);
}

// The sums of LANES vectors as one vector. Each round halves the vectors and
// doubles the lanes that belong together.
NNP_INLINE V sums_of(const V *v) {
#if NNP_LANES == 8
  const M low4 = {0, 1, 2, 3, 8, 9, 10, 11}, high4 = {4, 5, 6, 7, 12, 13, 14, 15};
  const M low2 = {0, 1, 8, 9, 4, 5, 12, 13}, high2 = {2, 3, 10, 11, 6, 7, 14, 15};
  const M low1 = {0, 8, 2, 10, 4, 12, 6, 14}, high1 = {1, 9, 3, 11, 5, 13, 7, 15};
#define NNP_ROUND(a, b, n) (NNP_SHUFFLE(a, b, low##n) + NNP_SHUFFLE(a, b, high##n))
  const V p = NNP_ROUND(v[0], v[4], 4), q = NNP_ROUND(v[1], v[5], 4);
  const V r = NNP_ROUND(v[2], v[6], 4), s = NNP_ROUND(v[3], v[7], 4);
  const V t = NNP_ROUND(p, r, 2), u = NNP_ROUND(q, s, 2);
  return NNP_ROUND(t, u, 1);
#elif NNP_LANES == 4
  const M low2 = {0, 1, 4, 5}, high2 = {2, 3, 6, 7};
  const M low1 = {0, 4, 2, 6}, high1 = {1, 5, 3, 7};
#define NNP_ROUND(a, b, n) (NNP_SHUFFLE(a, b, low##n) + NNP_SHUFFLE(a, b, high##n))
  const V p = NNP_ROUND(v[0], v[2], 2), q = NNP_ROUND(v[1], v[3], 2);
  return NNP_ROUND(p, q, 1);
#else
  const M low = {0, 2}, high = {1, 3};
  return NNP_SHUFFLE(v[0], v[1], low) + NNP_SHUFFLE(v[0], v[1], high);
#endif
#undef NNP_ROUND
}

// The same where there are too many parameters to keep a vector of each.
template <int R>
NNP_INLINE void outer_reduced(size_t width, const double *D, const double *A,
                              size_t K, double *sums) {
  V acc[R][NNP_LANES] = {};
  for (size_t s = 0; s < width; s += NNP_LANES) {
    V d[R];
    for (int r = 0; r < R; ++r) d[r] = load(D + r * width + s);
    for (int c = 0; c < NNP_LANES; ++c) {
      const V a = load(A + c * width + s);
      for (int r = 0; r < R; ++r) acc[r][c] += d[r] * a;
    }
  }
  for (int r = 0; r < R; ++r)
    store(sums + r * K, load(sums + r * K) + sums_of(acc[r]));
}

template <int R>
static void outer_rows(size_t width, const double *D, const double *A, size_t K,
                       const Sums &sums, size_t at) {
  constexpr int C = NNP_LANES == 8 ? 5 : 3;
  constexpr int reduced = NNP_LANES == 8 ? 3 : 2;  // rows that fit the registers
  size_t k = 0;
  if (!sums.lanes && R >= reduced)
    for (; k + NNP_LANES <= K; k += NNP_LANES) {
      int r = 0;
      double *to = sums.data + at + k;
      for (; r + reduced <= R; r += reduced)
        outer_reduced<reduced>(width, D + r * width, A + k * width, K, to + r * K);
      for (; r < R; ++r)
        outer_reduced<1>(width, D + r * width, A + k * width, K, to + r * K);
    }
  for (; k + C <= K; k += C)
    outer_block<R, C>(width, D, A + k * width, K, sums, at + k);
  const double *left = A + k * width;
  switch (K - k) {
    case 4:
      return outer_block<R, 4>(width, D, left, K, sums, at + k);
    case 3:
      return outer_block<R, 3>(width, D, left, K, sums, at + k);
    case 2:
      return outer_block<R, 2>(width, D, left, K, sums, at + k);
    case 1:
      return outer_block<R, 1>(width, D, left, K, sums, at + k);
  }
}

static void outer(size_t rows, size_t K, size_t width, const double *D,
                  const double *A, const Sums &sums, size_t at) {
  constexpr int R = NNP_LANES == 8 ? 5 : 3;
  size_t r = 0;
  if (!sums.lanes)  // the rows that `outer_reduced` takes at once
    for (constexpr int few = NNP_LANES == 8 ? 3 : 2; r + few <= rows; r += few)
      outer_rows<few>(width, D + r * width, A, K, sums, at + r * K);
  for (; r + R <= rows; r += R)
    outer_rows<R>(width, D + r * width, A, K, sums, at + r * K);
  const double *left = D + r * width;
  switch (rows - r) {
    case 4:
      return outer_rows<4>(width, left, A, K, sums, at + r * K);
    case 3:
      return outer_rows<3>(width, left, A, K, sums, at + r * K);
    case 2:
      return outer_rows<2>(width, left, A, K, sums, at + r * K);
    case 1:
      return outer_rows<1>(width, left, A, K, sums, at + r * K);
  }
}

static void row_sums(size_t rows, size_t width, const double *D,
                     const Sums &sums, size_t at) {
  for (size_t r = 0; r < rows; ++r) {
    V acc = V{};
    for (size_t s = 0; s < width; s += NNP_LANES) acc += load(D + r * width + s);
    add(sums, at + r, acc);
  }
}

// Scratch of one tile: activations, their derivatives, dL/dz, W^T dL/dz. The
// last row of activations holds what the loss leaves there.
struct Work {
  std::vector<Buffer> a, d1, d2, delta, back;
  Buffer gathered_inputs, gathered_truth;

  Work(const Problem &problem, int order, bool gather) {
    const size_t T = tile_samples;
    for (const Layer &layer : problem.layers) {
      const size_t n = layer.n_out * T;
      a.emplace_back(n);
      d1.emplace_back(order >= 1 ? n : 0);
      d2.emplace_back(order >= 2 ? n : 0);
      delta.emplace_back(order >= 1 ? n : 0);
      back.emplace_back(order >= 2 ? n : 0);
    }
    if (gather) {
      gathered_inputs = Buffer(problem.n_in() * T);
      gathered_truth = Buffer(problem.truth_rows() * T);
    }
  }

  // Tile t of the samples: a view of the data, or a copy of those listed.
  Tile tile(const Problem &problem, const Samples &samples, size_t t) {
    if (!samples.indices) return problem.tile(t);
    const size_t first = t * tile_samples;
    const size_t left = samples.count - first;
    const size_t count = left < tile_samples ? left : tile_samples;
    const size_t width = padded(count);
    for (size_t s = 0; s < width; ++s) {
      // padding repeats the last sample; it counts nowhere
      const size_t n = samples.indices[first + (s < count ? s : count - 1)];
      const Tile from = problem.tile(n / tile_samples);
      const size_t lane = n % tile_samples;
      for (size_t i = 0; i < problem.n_in(); ++i)
        gathered_inputs[i * width + s] = from.inputs[i * from.width + lane];
      for (size_t o = 0; o < problem.truth_rows(); ++o)
        gathered_truth[o * width + s] = from.truth[o * from.width + lane];
    }
    return {count, width, gathered_inputs.data(), gathered_truth.data()};
  }

  const double *into(const Tile &tile, size_t layer) const {
    return layer == 0 ? tile.inputs : a[layer - 1].data();
  }
};

// The forward pass; returns the loss of the tile, lane by lane.
template <int order>
static V forward(const Problem &problem, const double *x, const Tile &tile,
                 Work &w) {
  const size_t last = problem.layers.size() - 1;
  for (size_t l = 0; l <= last; ++l) {
    const Layer &layer = problem.layers[l];
    multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
             w.into(tile, l), tile.width,
             problem.model.bias ? x + layer.biases : nullptr, false,
             w.a[l].data());
    if (l < last)
      activate<order>(problem.model.activation, layer.n_out * tile.width,
                      w.a[l].data(), w.d1[l].data(), w.d2[l].data());
  }
  return evaluate_loss<order>(problem, tile, w.a[last].data(), w.delta[last].data());
}

// dL/dz of the hidden layers from that of the output layer.
static void backward(const Problem &problem, const double *x, const Tile &tile,
                     Work &w, bool keep) {
  for (size_t l = problem.layers.size() - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    double *delta = w.delta[l].data();
    multiply(above.n_in, above.n_out, x + above.weights, 1, above.n_in,
             w.delta[l + 1].data(), tile.width, nullptr, false, delta);
    const double *d1 = w.d1[l].data();
    for (size_t k = 0; k < above.n_in * tile.width; k += NNP_LANES) {
      const V back = load(delta + k);
      if (keep) store(w.back[l].data() + k, back);
      store(delta + k, back * load(d1 + k));
    }
  }
}

// total += part, with the rounding errors carried along (Neumaier).
static void add_compensated(size_t n, const double *part, double *total,
                            double *error) {
  for (size_t i = 0; i < n; ++i) {
    const double t = total[i] + part[i];
    error[i] += (total[i] < 0 ? -total[i] : total[i]) >=
                        (part[i] < 0 ? -part[i] : part[i])
                    ? (total[i] - t) + part[i]
                    : (part[i] - t) + total[i];
    total[i] = t;
  }
}

// Sums over many tiles: plain within a fold of them, compensated between folds.
class Folder {
 public:
  Folder(size_t n, double *total)
      : n_(n),
        lanes_(n <= lane_budget),
        size_(n * (lanes_ ? NNP_LANES : 1)),
        part_(size_),
        plain_(lanes_ ? n : 0),
        error_(n),
        total_(total) {
    std::memset(total, 0, n * sizeof(double));
  }
  Sums sums() { return {part_.data(), lanes_}; }
  void fold() {
    if (lanes_)
      for (size_t i = 0; i < n_; ++i)
        plain_[i] = sum(load(part_.data() + i * NNP_LANES));
    add_compensated(n_, lanes_ ? plain_.data() : part_.data(), total_,
                    error_.data());
    std::memset(part_.data(), 0, size_ * sizeof(double));
  }
  void finish() {
    for (size_t i = 0; i < n_; ++i) total_[i] += error_[i];
  }

 private:
  size_t n_;
  bool lanes_;
  size_t size_;
  Buffer part_, plain_, error_;
  double *total_;
};

static double gradient(const Problem &problem, const double *x,
                       const Samples &samples, size_t first, size_t last,
                       double *g) {
  Work w(problem, g ? 1 : 0, samples.indices != nullptr);
  double loss = 0;
  Folder losses(1, &loss);
  if (!g) {
    for (size_t t = first; t < last; ++t) {
      const Tile tile = w.tile(problem, samples, t);
      add(losses.sums(), 0, forward<0>(problem, x, tile, w));
      if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last) losses.fold();
    }
    losses.finish();
    return loss;
  }
  Folder gradients(problem.n_parameters, g);
  const Sums sums = gradients.sums();
  for (size_t t = first; t < last; ++t) {
    const Tile tile = w.tile(problem, samples, t);
    add(losses.sums(), 0, forward<1>(problem, x, tile, w));
    backward(problem, x, tile, w, false);
    for (size_t l = 0; l < problem.layers.size(); ++l) {
      const Layer &layer = problem.layers[l];
      const double *delta = w.delta[l].data();
      outer(layer.n_out, layer.n_in, tile.width, delta, w.into(tile, l), sums,
            layer.weights);
      if (problem.model.bias)
        row_sums(layer.n_out, tile.width, delta, sums, layer.biases);
    }
    if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last) {
      losses.fold();
      gradients.fold();
    }
  }
  losses.finish();
  gradients.finish();
  return loss;
}

// Products by the R-operator: B. A. Pearlmutter, Neural Comput. 6, 147 (1994).
static void product(const Problem &problem, const double *x,
                    const double *vectors, size_t n_vectors, size_t first,
                    size_t last, double *products) {
  const size_t L = problem.layers.size(), P = problem.n_parameters;
  const Samples all{nullptr, problem.n_samples};
  Work w(problem, 2, false);
  std::vector<Buffer> Rz, Ra, Rdelta;
  for (const Layer &layer : problem.layers) {
    Rz.emplace_back(layer.n_out * tile_samples);
    Ra.emplace_back(layer.n_out * tile_samples);
    Rdelta.emplace_back(layer.n_out * tile_samples);
  }
  std::vector<Folder> folders;
  for (size_t i = 0; i < n_vectors; ++i) folders.emplace_back(P, products + i * P);

  for (size_t t = first; t < last; ++t) {
    const Tile tile = w.tile(problem, all, t);
    const size_t width = tile.width;
    forward<2>(problem, x, tile, w);
    backward(problem, x, tile, w, true);
    for (size_t i = 0; i < n_vectors; ++i) {
      const double *v = vectors + i * P;
      for (size_t l = 0; l < L; ++l) {
        const Layer &layer = problem.layers[l];
        multiply(layer.n_out, layer.n_in, v + layer.weights, layer.n_in, 1,
                 w.into(tile, l), width,
                 problem.model.bias ? v + layer.biases : nullptr, false,
                 Rz[l].data());
        if (l > 0)
          multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
                   Ra[l - 1].data(), width, nullptr, true, Rz[l].data());
        if (l + 1 < L)
          for (size_t k = 0; k < layer.n_out * width; k += NNP_LANES)
            store(Ra[l].data() + k,
                  load(w.d1[l].data() + k) * load(Rz[l].data() + k));
      }
      loss_product(problem, tile, w.a[L - 1].data(), Rz[L - 1].data(),
                   Rdelta[L - 1].data());
      const Sums sums = folders[i].sums();
      for (size_t l = L; l-- > 0;) {
        const Layer &layer = problem.layers[l];
        outer(layer.n_out, layer.n_in, width, Rdelta[l].data(), w.into(tile, l),
              sums, layer.weights);
        if (problem.model.bias)
          row_sums(layer.n_out, width, Rdelta[l].data(), sums, layer.biases);
        if (l == 0) break;
        outer(layer.n_out, layer.n_in, width, w.delta[l].data(),
              Ra[l - 1].data(), sums, layer.weights);
        double *back = Rdelta[l - 1].data();
        multiply(layer.n_in, layer.n_out, v + layer.weights, 1, layer.n_in,
                 w.delta[l].data(), width, nullptr, false, back);
        multiply(layer.n_in, layer.n_out, x + layer.weights, 1, layer.n_in,
                 Rdelta[l].data(), width, nullptr, true, back);
        for (size_t k = 0; k < layer.n_in * width; k += NNP_LANES)
          store(back + k, load(w.d1[l - 1].data() + k) * load(back + k) +
                              load(w.d2[l - 1].data() + k) *
                                  load(Rz[l - 1].data() + k) *
                                  load(w.back[l - 1].data() + k));
      }
    }
    if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last)
      for (Folder &folder : folders) folder.fold();
  }
  for (Folder &folder : folders) folder.finish();
}

// Let u_l be an addition to the pre-activations z_l. With
//   G_lm = d2 loss / du_l du_m  and  J_ml = d a_m / d u_l,
// the block of layers l <= m is, per sample,
//   H[(i,j),(k,q)] = a_{l-1,j} (G_lm[i,k] a_{m-1,q} + delta_{m,k} J_{m-1,l}[q,i])
// (second term for l < m only), and both follow from
//   G_lm = D_l W_{l+1}^T G_{l+1,m},
//   G_ll = D_l W_{l+1}^T G_{l+1,l+1} W_{l+1} D_l + diag(s''_l W_{l+1}^T delta_{l+1}),
//   J_ml = D_m W_m J_{m-1,l}.
// Method: C. M. Bishop, Neural Comput. 4, 494 (1992). The Gauss-Newton part is
// what is left without s'' and without J.
static void hessian_tile(const Problem &problem, const double *x,
                         const Tile &tile, bool gauss_newton, Work &w,
                         std::vector<std::vector<Buffer>> &local,
                         HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity, at = out.count;
  const size_t width = tile.width;
  forward<2>(problem, x, tile, w);
  backward(problem, x, tile, w, true);
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  out.count += tile.count;

  // sample by sample, with a one for the bias
  for (size_t l = 0; l < L; ++l) {
    const size_t n = problem.layers[l].n_in, stride = out.stride[l];
    double *rows = out.activations[l].data() + at * stride;
    const double *a = w.into(tile, l);
    for (size_t s = 0; s < tile.count; ++s) {
      for (size_t j = 0; j < n; ++j) rows[s * stride + j] = a[j * width + s];
      rows[s * stride + n] = problem.model.bias ? 1 : 0;
    }
    for (size_t k = 0; k < units(l); ++k) {
      copy(width, w.delta[l].data() + k * width, out.delta[l].data() + k * S + at);
      if (l + 1 < L && !gauss_newton)
        copy(width, w.d1[l].data() + k * width, out.d1[l].data() + k * S + at);
    }
  }

  loss_curvature(problem, tile, w.a[L - 1].data(), w.delta[L - 1].data(),
                 local[L - 1][L - 1].data());

  for (size_t l = L - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    for (size_t m = l + 1; m < L; ++m) {
      // W^T times the matrices, whose columns and samples lie side by side
      const size_t n_m = units(m);
      double *G = local[l][m].data();
      multiply(n, above.n_out, x + above.weights, 1, n, local[l + 1][m].data(),
               n_m * width, nullptr, false, G);
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n_m; ++k)
          for (size_t s = 0; s < width; s += NNP_LANES) {
            double *g = G + (i * n_m + k) * width + s;
            store(g, load(g) * load(w.d1[l].data() + i * width + s));
          }
    }
    double *G = local[l][l].data();
    for (size_t i = 0; i < n; ++i) {
      double *row = G + i * n * width;
      multiply(n, above.n_out, x + above.weights, 1, n,
               local[l][l + 1].data() + i * above.n_out * width, width, nullptr,
               false, row);
      for (size_t k = 0; k < n; ++k)
        for (size_t s = 0; s < width; s += NNP_LANES) {
          double *g = row + k * width + s;
          V value = load(g) * load(w.d1[l].data() + k * width + s);
          if (i == k && !gauss_newton)
            value += load(w.d2[l].data() + i * width + s) *
                     load(w.back[l].data() + i * width + s);
          store(g, value);
        }
    }
  }
  for (size_t l = 0; l < L; ++l)
    for (size_t m = l; m < L; ++m)
      for (size_t k = 0; k < units(l) * units(m); ++k)
        copy(width, local[l][m].data() + k * width,
             out.G[l][m].data() + k * S + at);
  if (gauss_newton) return;

  // d a_{l+1} / d u_l from the diagonal d a_l / d u_l, and so on upwards
  for (size_t l = 0; l + 2 < L; ++l) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    Buffer rows = Buffer::raw(n * above.n_out * width);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = 0; k < above.n_out; ++k) {
        const double weight = x[above.weights + k * n + i];
        for (size_t s = 0; s < width; s += NNP_LANES)
          store(rows.data() + (i * above.n_out + k) * width + s,
                weight * load(w.d1[l].data() + i * width + s) *
                    load(w.d1[l + 1].data() + k * width + s));
      }
    for (size_t m = l + 2; m < L; ++m) {
      // [i][q][sample] of the layer below m becomes [i][sample][q]
      const size_t n_q = problem.layers[m].n_in, stride = out.stride[m];
      double *to = out.J[l][m].data();
      for (size_t i = 0; i < n; ++i)
        for (size_t s = 0; s < tile.count; ++s)
          for (size_t q = 0; q < n_q; ++q)
            to[(i * S + at + s) * stride + q] = rows[(i * n_q + q) * width + s];
      if (m + 1 == L) break;
      const Layer &layer = problem.layers[m];
      Buffer next = Buffer::raw(n * layer.n_out * width);
      for (size_t i = 0; i < n; ++i) {
        double *to = next.data() + i * layer.n_out * width;
        multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
                 rows.data() + i * layer.n_in * width, width, nullptr, false,
                 to);
        for (size_t k = 0; k < layer.n_out * width; k += NNP_LANES)
          store(to + k, load(to + k) * load(w.d1[m].data() + k));
      }
      rows = std::move(next);
    }
  }
}

static void hessian_samples(const Problem &problem, const double *x,
                            size_t first, size_t last, bool gauss_newton,
                            HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity;
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  if (out.activations.empty()) {
    out.mixed = !gauss_newton;
    out.G.resize(L), out.J.resize(L);
    for (size_t l = 0; l < L; ++l) {
      const size_t stride = padded(problem.layers[l].n_in + 1);
      out.stride.push_back(stride);
      out.activations.emplace_back(S * stride);
      out.delta.push_back(Buffer::raw(units(l) * S));
      out.d1.push_back(Buffer::raw(units(l) * S));
    }
    for (size_t l = 0; l < L; ++l)
      for (size_t m = 0; m < L; ++m) {
        out.G[l].push_back(Buffer::raw(m >= l ? units(l) * units(m) * S : 0));
        out.J[l].emplace_back(
            m > l + 1 && !gauss_newton ? units(l) * S * out.stride[m] : 0);
      }
  }
  Work w(problem, 2, false);
  std::vector<std::vector<Buffer>> G(L);
  for (size_t l = 0; l < L; ++l)
    for (size_t m = 0; m < L; ++m)
      G[l].push_back(
          Buffer::raw(m >= l ? units(l) * units(m) * tile_samples : 0));
  out.count = 0;
  for (size_t t = first; t < last; ++t)
    hessian_tile(problem, x, problem.tile(t), gauss_newton, w, G, out);
}

// B[j][q] = sum_s a_j(s) (g(s) a'_q(s) + d(s) J_q(s)) for R rows j and NV
// vectors of columns q.
template <int R, int NV, bool mixed>
NNP_INLINE void hessian_block(size_t count, const double *a, size_t a_stride,
                              const double *b, const double *J, size_t b_stride,
                              const double *g, const double *d, double *B) {
  V acc[R][NV] = {};
  for (size_t s = 0; s < count; ++s) {
    V t[NV];
    for (int v = 0; v < NV; ++v) {
      t[v] = splat(g[s]) * load(b + s * b_stride + v * NNP_LANES);
      if (mixed) t[v] += splat(d[s]) * load(J + s * b_stride + v * NNP_LANES);
    }
    for (int r = 0; r < R; ++r) {
      const V w = splat(a[s * a_stride + r]);
      for (int v = 0; v < NV; ++v) acc[r][v] += w * t[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v)
      store(B + r * b_stride + v * NNP_LANES, acc[r][v]);
}

// With `symmetric`, of the square matrix B only the upper triangle, in blocks.
template <bool mixed>
static void hessian_pair(size_t count, size_t all_rows, const double *a,
                         size_t a_stride, size_t n_columns, const double *b,
                         const double *J, size_t b_stride, const double *g,
                         const double *d, bool symmetric, double *B) {
  constexpr int NV = 2;
  constexpr int R = NNP_LANES == 8 ? 11 : 5;
  for (size_t q = 0; q < n_columns;) {
    const bool wide = q + NNP_LANES < n_columns;
    const size_t end = q + (wide ? 2 : 1) * NNP_LANES;
    const size_t n_rows = symmetric && end < all_rows ? end : all_rows;
    size_t j = 0;
    while (j < n_rows) {
      const size_t left = n_rows - j;
      const double *from = a + j;
      double *to = B + j * b_stride + q;
#define NNP_BLOCK(rows)                                                      \
  {                                                                          \
    if (wide)                                                                \
      hessian_block<rows, NV, mixed>(count, from, a_stride, b + q, J + q,    \
                                     b_stride, g, d, to);                    \
    else                                                                     \
      hessian_block<rows, 1, mixed>(count, from, a_stride, b + q, J + q,     \
                                    b_stride, g, d, to);                     \
    j += rows;                                                               \
  }
      if (left >= R)
        NNP_BLOCK(R)
      else if (left >= 6 && R > 6)
        NNP_BLOCK(6)
      else if (left >= 4)
        NNP_BLOCK(4)
      else if (left >= 2)
        NNP_BLOCK(2)
      else
        NNP_BLOCK(1)
#undef NNP_BLOCK
    }
    q += wide ? 2 * NNP_LANES : NNP_LANES;
  }
}

// C[k][j] = sum_s a_j(s) t_k(s) for K columns k and all rows j.
template <int K>
static void columns_block(size_t count, size_t stride, const double *a,
                          const double *t, size_t t_stride, double *C) {
  for (size_t j = 0; j < stride; j += NNP_LANES) {
    V acc[K] = {};
    for (size_t s = 0; s < count; ++s) {
      const V row = load(a + s * stride + j);
      for (int k = 0; k < K; ++k) acc[k] += t[k * t_stride + s] * row;
    }
    for (int k = 0; k < K; ++k) store(C + k * stride + j, acc[k]);
  }
}

// The terms with J where it is the diagonal d a_l / d u_l, for unit i of layer
// l and every unit k above it: they fall in column i alone.
static void diagonal_columns(const HessianSamples &tile, size_t l, size_t i,
                             size_t n_above, double *C) {
  const size_t S = tile.capacity, stride = tile.stride[l];
  const double *a = tile.activations[l].data();
  Buffer t = Buffer::raw(n_above * S);
  const size_t width = padded(tile.count);
  for (size_t k = 0; k < n_above; ++k)
    for (size_t s = 0; s < width; s += NNP_LANES)
      store(t.data() + k * S + s, load(tile.delta[l + 1].data() + k * S + s) *
                                      load(tile.d1[l].data() + i * S + s));
  size_t k = 0;
  for (; k + 4 <= n_above; k += 4)
    columns_block<4>(tile.count, stride, a, t.data() + k * S, S, C + k * stride);
  for (; k < n_above; ++k)
    columns_block<1>(tile.count, stride, a, t.data() + k * S, S, C + k * stride);
}

static void hessian_rows(const Problem &problem, const HessianSamples &tile,
                         size_t l, size_t i, double *hessian) {
  const size_t L = problem.layers.size(), P = problem.n_parameters;
  const size_t width = tile.capacity, extra = problem.model.bias ? 1 : 0;
  const Layer &rows = problem.layers[l];
  const size_t n_rows = rows.n_in + extra;
  size_t widest = 0;
  for (size_t m = l; m < L; ++m)
    widest = tile.stride[m] > widest ? tile.stride[m] : widest;
  Buffer block = Buffer::raw(n_rows * widest + NNP_LANES), diagonal;
  for (size_t m = l; m < L; ++m) {
    const Layer &columns = problem.layers[m];
    const size_t n_columns = columns.n_in + extra, stride = tile.stride[m];
    const bool next = m == l + 1 && tile.mixed;
    if (next) {
      diagonal = Buffer::raw(columns.n_out * tile.stride[l]);
      diagonal_columns(tile, l, i, columns.n_out, diagonal.data());
    }
    for (size_t k = l == m ? i : 0; k < columns.n_out; ++k) {
      const double *g =
          tile.G[l][m].data() + (i * columns.n_out + k) * width;
      const double *d = tile.delta[m].data() + k * width;
      const double *a = tile.activations[l].data();
      const double *b = tile.activations[m].data();
      if (l + 1 < m && tile.mixed)
        hessian_pair<true>(tile.count, n_rows, a, tile.stride[l], n_columns, b,
                           tile.J[l][m].data() + i * width * stride, stride, g,
                           d, false, block.data());
      else
        hessian_pair<false>(tile.count, n_rows, a, tile.stride[l], n_columns, b,
                            b, stride, g, d, l == m, block.data());
      if (l == m)
        for (size_t j = 1; j < n_rows; ++j)
          for (size_t q = 0; q < j; ++q)
            block[j * stride + q] = block[q * stride + j];
      if (next)
        for (size_t j = 0; j < n_rows; ++j)
          block[j * stride + i] += diagonal[k * tile.stride[l] + j];
      const size_t column = columns.weights + k * columns.n_in;
      for (size_t j = 0; j < rows.n_in; ++j) {
        const double *from = block.data() + j * stride;
        double *to = hessian + (rows.weights + i * rows.n_in + j) * P;
        for (size_t q = 0; q < columns.n_in; ++q) to[column + q] += from[q];
        if (extra) to[columns.biases + k] += from[columns.n_in];
      }
      if (!extra) continue;
      const double *from = block.data() + rows.n_in * stride;
      const size_t r = rows.biases + i;
      hessian[r * P + columns.biases + k] += from[columns.n_in];
      // the weights of a later layer lie right of this bias, those of its own
      // layer left of it: there the upper triangle is the transposed element
      if (l < m) {
        for (size_t q = 0; q < columns.n_in; ++q)
          hessian[r * P + column + q] += from[q];
      } else if (k != i) {
        for (size_t q = 0; q < columns.n_in; ++q)
          hessian[(column + q) * P + r] += from[q];
      }
    }
  }
}

static void function(int which, size_t n, const double *in, double *out) {
  double values[NNP_LANES];
  for (size_t i = 0; i < n; i += NNP_LANES) {
    const size_t left = n - i < NNP_LANES ? n - i : NNP_LANES;
    for (size_t k = 0; k < NNP_LANES; ++k) values[k] = k < left ? in[i + k] : 0;
    const V v = load(values);
    store(values, which == 0   ? exp_nonpositive(v)
                  : which == 1 ? tanh_(v)
                               : log1p_nonnegative(v));
    for (size_t k = 0; k < left; ++k) out[i + k] = values[k];
  }
}
