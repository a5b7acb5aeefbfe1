#include "kernel.hpp"

#include <algorithm>
#include <cmath>

namespace nnpotential {

namespace {

constexpr size_t tile_samples = 64;
constexpr size_t vector_samples = 8;

double logistic(double z) {
  const double e = std::exp(-std::fabs(z));
  return (z >= 0 ? 1.0 : e) / (1.0 + e);
}

// a = s(z), and with order >= 1 its first, with order >= 2 its second
// derivative, for n consecutive values.
template <int order>
void activate(Activation kind, size_t n, const double *z, double *a, double *d1,
              double *d2) {
  switch (kind) {
    case Activation::tanh:
      for (size_t i = 0; i < n; ++i) a[i] = std::tanh(z[i]);
      if (order >= 1)
        for (size_t i = 0; i < n; ++i) d1[i] = (1 - a[i]) * (1 + a[i]);
      if (order >= 2)
        for (size_t i = 0; i < n; ++i) d2[i] = -2 * a[i] * d1[i];
      break;
    case Activation::sigmoid:
      for (size_t i = 0; i < n; ++i) {
        const double s = logistic(z[i]);
        if (order >= 1) d1[i] = s * logistic(-z[i]);
        if (order >= 2) d2[i] = d1[i] * (1 - 2 * s);
        a[i] = s;
      }
      break;
    case Activation::softplus:
      for (size_t i = 0; i < n; ++i) {
        const double s = logistic(z[i]);
        if (order >= 1) d1[i] = s;
        if (order >= 2) d2[i] = s * logistic(-z[i]);
        a[i] = std::max(z[i], 0.0) + std::log1p(std::exp(-std::fabs(z[i])));
      }
      break;
    case Activation::silu:
      for (size_t i = 0; i < n; ++i) {
        const double s = logistic(z[i]), c = logistic(-z[i]);
        if (order >= 1) d1[i] = s * (1 + z[i] * c);
        if (order >= 2) d2[i] = s * c * (2 + z[i] * (c - s));
        a[i] = z[i] * s;
      }
      break;
    case Activation::relu:
      for (size_t i = 0; i < n; ++i) {
        if (order >= 1) d1[i] = z[i] > 0 ? 1.0 : 0.0;
        if (order >= 2) d2[i] = 0;
        a[i] = std::max(z[i], 0.0);
      }
      break;
  }
}

// y += c * x
void axpy(size_t n, double c, const double *x, double *y) {
#pragma omp simd
  for (size_t i = 0; i < n; ++i) y[i] += c * x[i];
}

double dot(size_t n, const double *x, const double *y) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

double total(size_t n, const double *x) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

}  // namespace

// Scratch space for one tile. All arrays are [unit][sample] with the tile's
// width as stride.
struct Kernel::Workspace {
  explicit Workspace(const Kernel &kernel, int order) {
    const size_t n_layers = kernel.layers_.size();
    const size_t T = tile_samples;
    a.resize(n_layers + 1);
    for (auto *rows : {&z, &d1, &d2, &delta, &back}) rows->resize(n_layers);
    for (size_t l = 0; l < n_layers; ++l) {
      const size_t n = kernel.layers_[l].n_out;
      z[l].resize(n * T);
      a[l + 1].resize(n * T);
      d1[l].resize(order >= 1 ? n * T : 0);
      delta[l].resize(order >= 1 ? n * T : 0);
      back[l].resize(order >= 1 ? n * T : 0);
      d2[l].resize(order >= 2 ? n * T : 0);
    }
  }
  const double *activations(const Tile &tile, size_t l) const {
    return l == 0 ? tile.input : a[l].data();
  }

  // pre-activations, activations, activation derivatives, dL/dz, W^T dL/dz of
  // the layer above; all for the sum over samples, not yet the mean
  std::vector<std::vector<double>> z, a, d1, d2, delta, back;
};

Kernel::Kernel(const Model &model, size_t n_samples, const double *X,
               const long long *labels, const double *targets)
    : model_(model), n_samples_(n_samples), n_parameters_(0) {
  for (size_t l = 0; l + 1 < model.sizes.size(); ++l) {
    Layer layer{model.sizes[l], model.sizes[l + 1], n_parameters_, 0};
    layer.biases = layer.weights + layer.n_in * layer.n_out;
    n_parameters_ = layer.biases + (model.bias ? layer.n_out : 0);
    layers_.push_back(layer);
  }
  widest_ = *std::max_element(model.sizes.begin(), model.sizes.end());
  const size_t n_in = model.sizes.front(), n_out = model.sizes.back();

  for (size_t first = 0; first < n_samples; first += tile_samples) {
    const size_t count = std::min(tile_samples, n_samples - first);
    const size_t width =
        (count + vector_samples - 1) / vector_samples * vector_samples;
    tiles_.push_back({first, count, width, nullptr});
  }
  size_t padded = 0;
  for (const Tile &tile : tiles_) padded += tile.width;
  data_.assign(padded * n_in, 0.0);
  double *to = data_.data();
  for (Tile &tile : tiles_) {
    tile.input = to;
    for (size_t i = 0; i < n_in; ++i, to += tile.width)
      for (size_t s = 0; s < tile.count; ++s)
        to[s] = X[(tile.first + s) * n_in + i];
  }
  if (model.loss == Loss::cross_entropy)
    labels_.assign(labels, labels + n_samples);
  else
    targets_.assign(targets, targets + n_samples * n_out);
}

// The forward pass; returns the loss summed over the tile. With order >= 1 the
// derivatives of the activations and dL/dz of the output layer are left in `w`.
template <int order>
double Kernel::forward(const double *x, const Tile &tile, Workspace &w) const {
  const size_t width = tile.width;
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer &layer = layers_[l];
    const double *in = w.activations(tile, l);
    for (size_t o = 0; o < layer.n_out; ++o) {
      double *z = &w.z[l][o * width];
      std::fill(z, z + width, model_.bias ? x[layer.biases + o] : 0.0);
      const double *weights = x + layer.weights + o * layer.n_in;
      for (size_t i = 0; i < layer.n_in; ++i)
        axpy(width, weights[i], in + i * width, z);
    }
    if (l + 1 < layers_.size())
      activate<order>(model_.activation, layer.n_out * width, w.z[l].data(),
                      w.a[l + 1].data(), w.d1[l].data(), w.d2[l].data());
  }
  return output_layer<order>(tile, w);
}

template <int order>
double Kernel::output_layer(const Tile &tile, Workspace &w) const {
  const size_t n_out = layers_.back().n_out, width = tile.width;
  const double *z = w.z.back().data();
  double *p = w.a.back().data();  // class probabilities
  double *delta = w.delta.back().data();
  if (order >= 1) std::fill(delta, delta + n_out * width, 0.0);
  double loss = 0;

  if (model_.loss == Loss::squared_error) {
    const double scale = 1.0 / n_out;
    for (size_t o = 0; o < n_out; ++o)
      for (size_t s = 0; s < tile.count; ++s) {
        const double r =
            z[o * width + s] - targets_[(tile.first + s) * n_out + o];
        loss += scale * r * r;
        if (order >= 1) delta[o * width + s] = 2 * scale * r;
      }
    return loss;
  }

  if (order >= 1) std::fill(p, p + n_out * width, 0.0);
  for (size_t s = 0; s < tile.count; ++s) {
    const size_t y = labels_[tile.first + s];
    size_t top = 0;
    for (size_t o = 1; o < n_out; ++o)
      if (z[o * width + s] > z[top * width + s]) top = o;
    const double z_top = z[top * width + s];
    double others = 0;  // sum of exp(z - z_top) without the largest term
    for (size_t o = 0; o < n_out; ++o) {
      const double e = o == top ? 1.0 : std::exp(z[o * width + s] - z_top);
      if (o != top) others += e;
      if (order >= 1) p[o * width + s] = e;
    }
    loss += (z_top - z[y * width + s]) + std::log1p(others);
    if (order >= 1) {
      double wrong = 0;  // 1 - p_y without cancellation
      for (size_t o = 0; o < n_out; ++o) {
        p[o * width + s] /= 1 + others;
        delta[o * width + s] = p[o * width + s];
        if (o != y) wrong += p[o * width + s];
      }
      delta[y * width + s] = -wrong;
    }
  }
  return loss;
}

// dL/dz of the hidden layers from that of the output layer.
void Kernel::backward(const double *x, const Tile &tile, Workspace &w) const {
  const size_t width = tile.width;
  for (size_t l = layers_.size() - 1; l-- > 0;) {
    const Layer &above = layers_[l + 1];
    std::fill(w.back[l].begin(), w.back[l].end(), 0.0);
    for (size_t o = 0; o < above.n_out; ++o) {
      const double *weights = x + above.weights + o * above.n_in;
      for (size_t i = 0; i < above.n_in; ++i)
        axpy(width, weights[i], &w.delta[l + 1][o * width],
             &w.back[l][i * width]);
    }
    const size_t n = above.n_in * width;
    for (size_t k = 0; k < n; ++k) w.delta[l][k] = w.d1[l][k] * w.back[l][k];
  }
}

void Kernel::add_gradient(const Tile &tile, const Workspace &w,
                          double *g) const {
  const size_t width = tile.width;
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer &layer = layers_[l];
    const double *in = w.activations(tile, l);
    for (size_t o = 0; o < layer.n_out; ++o) {
      const double *delta = &w.delta[l][o * width];
      for (size_t i = 0; i < layer.n_in; ++i)
        g[layer.weights + o * layer.n_in + i] +=
            dot(width, delta, in + i * width);
      if (model_.bias) g[layer.biases + o] += total(width, delta);
    }
  }
}

// Adds the upper triangle of the tile's Hessian.
//
// Let u_l be an addition to the pre-activations z_l. With
//   G_lm = d2 loss / du_l du_m  and  J_ml = d a_m / d u_l,
// the block of layers l <= m is, per sample,
//   H[(i,j),(p,q)] = a_{l-1,j} (G_lm[i,p] a_{m-1,q} + delta_{m,p} J_{m-1,l}[q,i])
// (second term for l < m only), and both follow from
//   G_lm = D_l W_{l+1}^T G_{l+1,m},
//   G_ll = D_l W_{l+1}^T G_{l+1,l+1} W_{l+1} D_l + diag(s''_l W_{l+1}^T delta_{l+1}),
//   J_ml = D_m W_m J_{m-1,l}.
// Method: C. M. Bishop, Neural Comput. 4, 494 (1992), arranged so that the sum
// over samples is the inner loop.
void Kernel::add_hessian(const double *x, const Tile &tile, Workspace &w,
                         double *hessian) const {
  const size_t width = tile.width, L = layers_.size(), P = n_parameters_;
  auto units = [&](size_t l) { return layers_[l].n_out; };
  using Rows = std::vector<double>;
  std::vector<std::vector<Rows>> G(L, std::vector<Rows>(L));
  std::vector<std::vector<Rows>> J(L, std::vector<Rows>(L));

  const size_t n_out = units(L - 1);
  Rows &top = G[L - 1][L - 1];
  top.assign(n_out * n_out * width, 0.0);
  const Rows &p = w.a.back();
  for (size_t i = 0; i < n_out; ++i)
    for (size_t k = 0; k < n_out; ++k) {
      double *g = &top[(i * n_out + k) * width];
      for (size_t s = 0; s < tile.count; ++s)
        if (model_.loss == Loss::squared_error)
          g[s] = i == k ? 2.0 / n_out : 0.0;
        else
          g[s] = i == k ? -p[i * width + s] * w.delta[L - 1][i * width + s]
                        : -p[i * width + s] * p[k * width + s];
    }
  // The diagonal p (1 - p) without cancellation: delta is p for the wrong
  // classes, p - 1 for the right one.
  if (model_.loss == Loss::cross_entropy)
    for (size_t i = 0; i < n_out; ++i) {
      double *g = &top[(i * n_out + i) * width];
      for (size_t s = 0; s < tile.count; ++s)
        if (labels_[tile.first + s] != static_cast<long long>(i))
          g[s] = p[i * width + s] * (1 - p[i * width + s]);
    }

  for (size_t l = L - 1; l-- > 0;) {
    const Layer &above = layers_[l + 1];
    const size_t n = units(l);
    for (size_t m = l + 1; m < L; ++m) {
      const size_t n_m = units(m);
      G[l][m].assign(n * n_m * width, 0.0);
      for (size_t o = 0; o < above.n_out; ++o)
        for (size_t i = 0; i < n; ++i)
          axpy(n_m * width, x[above.weights + o * n + i],
               &G[l + 1][m][o * n_m * width], &G[l][m][i * n_m * width]);
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n_m; ++k)
          for (size_t s = 0; s < width; ++s)
            G[l][m][(i * n_m + k) * width + s] *= w.d1[l][i * width + s];
    }
    G[l][l].assign(n * n * width, 0.0);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = i; k < n; ++k) {
        double *g = &G[l][l][(i * n + k) * width];
        for (size_t o = 0; o < above.n_out; ++o)
          axpy(width, x[above.weights + o * n + k],
               &G[l][l + 1][(i * above.n_out + o) * width], g);
        for (size_t s = 0; s < width; ++s) g[s] *= w.d1[l][k * width + s];
        if (i == k)
          for (size_t s = 0; s < width; ++s)
            g[s] += w.d2[l][i * width + s] * w.back[l][i * width + s];
        else
          std::copy(g, g + width, &G[l][l][(k * n + i) * width]);
      }
  }

  for (size_t l = 0; l + 1 < L; ++l) {
    const size_t n = units(l);
    J[l][l].assign(n * n * width, 0.0);
    for (size_t i = 0; i < n; ++i)
      std::copy_n(&w.d1[l][i * width], width, &J[l][l][(i * n + i) * width]);
    for (size_t m = l + 1; m + 1 < L; ++m) {
      const Layer &layer = layers_[m];
      J[m][l].assign(layer.n_out * n * width, 0.0);
      for (size_t q = 0; q < layer.n_out; ++q) {
        double *row = &J[m][l][q * n * width];
        for (size_t k = 0; k < layer.n_in; ++k)
          axpy(n * width, x[layer.weights + q * layer.n_in + k],
               &J[m - 1][l][k * n * width], row);
        for (size_t i = 0; i < n; ++i)
          for (size_t s = 0; s < width; ++s)
            row[i * width + s] *= w.d1[m][q * width + s];
      }
    }
  }

  const size_t extra = model_.bias ? 1 : 0;
  const Rows ones(width, 1.0);
  Rows scaled((widest_ + 1) * width);
  for (size_t l = 0; l < L; ++l)
    for (size_t m = l; m < L; ++m) {
      const Layer &rows = layers_[l], &columns = layers_[m];
      const double *a_row = w.activations(tile, l);
      const double *a_column = w.activations(tile, m);
      for (size_t i = 0; i < rows.n_out; ++i)
        for (size_t k = l == m ? i : 0; k < columns.n_out; ++k) {
          const double *g = &G[l][m][(i * columns.n_out + k) * width];
          for (size_t q = 0; q < columns.n_in; ++q) {
            double *to = &scaled[q * width];
            const double *a = a_column + q * width;
            for (size_t s = 0; s < width; ++s) to[s] = g[s] * a[s];
            if (l < m) {
              const double *j = &J[m - 1][l][(q * rows.n_out + i) * width];
              const double *delta = &w.delta[m][k * width];
              for (size_t s = 0; s < width; ++s) to[s] += delta[s] * j[s];
            }
          }
          std::copy_n(g, width, &scaled[columns.n_in * width]);
          for (size_t j = 0; j < rows.n_in + extra; ++j) {
            const bool j_bias = j == rows.n_in;
            const double *a = j_bias ? ones.data() : a_row + j * width;
            const size_t r =
                j_bias ? rows.biases + i : rows.weights + i * rows.n_in + j;
            for (size_t q = 0; q < columns.n_in + extra; ++q) {
              const size_t c = q == columns.n_in
                                   ? columns.biases + k
                                   : columns.weights + k * columns.n_in + q;
              // within one unit every pair of inputs comes twice
              if (l == m && i == k && c < r) continue;
              hessian[std::min(r, c) * P + std::max(r, c)] +=
                  dot(width, a, &scaled[q * width]);
            }
          }
        }
    }
}

// The R-operator: B. A. Pearlmutter, Neural Comput. 6, 147 (1994).
void Kernel::add_product(const double *x, const double *v, const Tile &tile,
                         Workspace &w, double *product) const {
  const size_t width = tile.width, L = layers_.size();
  std::vector<std::vector<double>> Rz(L), Ra(L + 1);
  for (size_t l = 0; l < L; ++l) {
    const Layer &layer = layers_[l];
    const double *in = w.activations(tile, l);
    Rz[l].assign(layer.n_out * width, 0.0);
    for (size_t o = 0; o < layer.n_out; ++o) {
      double *r = &Rz[l][o * width];
      if (model_.bias) std::fill(r, r + width, v[layer.biases + o]);
      const size_t row = layer.weights + o * layer.n_in;
      for (size_t i = 0; i < layer.n_in; ++i) {
        axpy(width, v[row + i], in + i * width, r);
        if (l > 0) axpy(width, x[row + i], &Ra[l][i * width], r);
      }
    }
    if (l + 1 < L) {
      Ra[l + 1].resize(layer.n_out * width);
      for (size_t k = 0; k < layer.n_out * width; ++k)
        Ra[l + 1][k] = w.d1[l][k] * Rz[l][k];
    }
  }

  const size_t n_out = layers_.back().n_out;
  std::vector<double> Rdelta(n_out * width, 0.0);
  if (model_.loss == Loss::squared_error) {
    for (size_t o = 0; o < n_out; ++o)
      for (size_t s = 0; s < tile.count; ++s)
        Rdelta[o * width + s] = 2.0 / n_out * Rz[L - 1][o * width + s];
  } else {
    const std::vector<double> &p = w.a.back();
    for (size_t s = 0; s < tile.count; ++s) {
      double mean = 0;
      for (size_t o = 0; o < n_out; ++o)
        mean += p[o * width + s] * Rz[L - 1][o * width + s];
      for (size_t o = 0; o < n_out; ++o)
        Rdelta[o * width + s] =
            p[o * width + s] * (Rz[L - 1][o * width + s] - mean);
    }
  }

  for (size_t l = L; l-- > 0;) {
    const Layer &layer = layers_[l];
    const double *in = w.activations(tile, l);
    std::vector<double> Rback(layer.n_in * width, 0.0);
    for (size_t o = 0; o < layer.n_out; ++o) {
      const double *delta = &w.delta[l][o * width];
      const double *Rd = &Rdelta[o * width];
      const size_t row = layer.weights + o * layer.n_in;
      for (size_t i = 0; i < layer.n_in; ++i) {
        product[row + i] += dot(width, Rd, in + i * width);
        if (l > 0) {
          product[row + i] += dot(width, delta, &Ra[l][i * width]);
          axpy(width, v[row + i], delta, &Rback[i * width]);
          axpy(width, x[row + i], Rd, &Rback[i * width]);
        }
      }
      if (model_.bias) product[layer.biases + o] += total(width, Rd);
    }
    if (l == 0) break;
    Rdelta.resize(layer.n_in * width);
    for (size_t k = 0; k < layer.n_in * width; ++k)
      Rdelta[k] = w.d2[l - 1][k] * Rz[l - 1][k] * w.back[l - 1][k] +
                  w.d1[l - 1][k] * Rback[k];
  }
}

template <class F>
void Kernel::for_each_penalised(F f) const {
  for (const Layer &layer : layers_) {
    for (size_t k = layer.weights; k < layer.biases; ++k) f(k);
    if (model_.bias && model_.regularize_bias)
      for (size_t o = 0; o < layer.n_out; ++o) f(layer.biases + o);
  }
}

double Kernel::penalty(const double *x) const {
  double sum = 0;
  for_each_penalised([&](size_t k) { sum += x[k] * x[k]; });
  return model_.regularization * sum;
}

double Kernel::energy(const double *x) const {
  Workspace w(*this, 0);
  double loss = 0;
  for (const Tile &tile : tiles_) loss += forward<0>(x, tile, w);
  return loss / n_samples_ + penalty(x);
}

double Kernel::energy_gradient(const double *x, double *gradient) const {
  Workspace w(*this, 1);
  std::fill(gradient, gradient + n_parameters_, 0.0);
  double loss = 0;
  for (const Tile &tile : tiles_) {
    loss += forward<1>(x, tile, w);
    backward(x, tile, w);
    add_gradient(tile, w, gradient);
  }
  for (size_t k = 0; k < n_parameters_; ++k) gradient[k] /= n_samples_;
  const double c = 2 * model_.regularization;
  for_each_penalised([&](size_t k) { gradient[k] += c * x[k]; });
  return loss / n_samples_ + penalty(x);
}

double Kernel::energy_gradient_hessian(const double *x, double *gradient,
                                       double *hessian) const {
  const size_t P = n_parameters_;
  Workspace w(*this, 2);
  std::fill(gradient, gradient + P, 0.0);
  std::fill(hessian, hessian + P * P, 0.0);
  double loss = 0;
  for (const Tile &tile : tiles_) {
    loss += forward<2>(x, tile, w);
    backward(x, tile, w);
    add_gradient(tile, w, gradient);
    add_hessian(x, tile, w, hessian);
  }
  const double c = 2 * model_.regularization;
  for (size_t r = 0; r < P; ++r) {
    gradient[r] /= n_samples_;
    for (size_t k = r; k < P; ++k) hessian[r * P + k] /= n_samples_;
  }
  for_each_penalised([&](size_t k) {
    gradient[k] += c * x[k];
    hessian[k * P + k] += c;
  });
  for (size_t r = 0; r < P; ++r)
    for (size_t k = r + 1; k < P; ++k) hessian[k * P + r] = hessian[r * P + k];
  return loss / n_samples_ + penalty(x);
}

void Kernel::hessian_vector_product(const double *x, const double *v,
                                    double *product) const {
  Workspace w(*this, 2);
  std::fill(product, product + n_parameters_, 0.0);
  for (const Tile &tile : tiles_) {
    forward<2>(x, tile, w);
    backward(x, tile, w);
    add_product(x, v, tile, w, product);
  }
  for (size_t k = 0; k < n_parameters_; ++k) product[k] /= n_samples_;
  const double c = 2 * model_.regularization;
  for_each_penalised([&](size_t k) { product[k] += c * v[k]; });
}

}  // namespace nnpotential
