#include "kernel.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace nnpotential {

namespace {

// The sums run over at most this many chunks of tiles, whatever the number of
// threads: so the order of additions, and the memory for them, is fixed.
constexpr size_t max_chunks = 16;
// Less work than this is not worth a second thread.
constexpr size_t tiles_in_chunk = 2;
// Tiles whose Hessians are summed plainly before they join the total.
constexpr size_t fold_tiles = 32;
// Room for the second derivatives of a run of samples: it should stay in cache.
constexpr size_t hessian_doubles = 1 << 20;

std::vector<const Engine *> available() {
  std::vector<const Engine *> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    found.push_back(&engine_avx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    found.push_back(&engine_avx2);
#endif
  found.push_back(&engine_baseline);
  return found;
}

const Engine *find_engine(const std::string &name) {
  for (const Engine *engine : available())
    if (name.empty() || name == engine->name) return engine;
  throw std::invalid_argument("no engine " + name + " on this machine");
}

size_t n_chunks(size_t n_tiles) {
  return std::clamp(n_tiles / tiles_in_chunk, size_t(1), max_chunks);
}

// total += part with the rounding error carried along (Knuth)
void add_compensated(double part, double &total, double &error) {
  const double t = total + part, added = t - total;
  error += (total - (t - added)) + (part - added);
  total = t;
}

// The chunks' parts, each of n numbers, summed in their fixed order.
void sum_parts(size_t chunks, size_t n, const Buffer<double> &parts, double *sums) {
  constexpr size_t some = 64;
  for (size_t first = 0; first < n; first += some) {
    const size_t last = std::min(first + some, n);
    double total[some] = {}, lost[some] = {};
    for (size_t c = 0; c < chunks; ++c) {
      const double *part = parts.data() + c * n;
      for (size_t k = first; k < last; ++k)
        add_compensated(part[k], total[k - first], lost[k - first]);
    }
    for (size_t k = first; k < last; ++k) sums[k] = total[k - first] + lost[k - first];
  }
}

// The upper triangle in parts that write to different places.
std::vector<HessianPart> hessian_parts(const Problem &problem, bool gauss_newton) {
  const size_t extra = problem.model.bias ? 1 : 0, L = problem.layers.size();
  std::vector<HessianPart> parts;
  size_t at = 0;
  for (size_t l = 0; l < L; ++l)
    for (size_t m = l; m < L; ++m) {
      const Layer &below = problem.layers[l], &above = problem.layers[m];
      const size_t n_j = below.n_in + extra, n_q = above.n_in + extra;
      const size_t n_l = problem.curved(l), n_m = problem.curved(m);
      HessianPart part{l, m, 0, 0, !gauss_newton, 0, {}};
      const size_t end = part.by_unit() ? n_l : n_j;
      for (; part.first < end; part.first = part.last) {
        size_t n = 0;
        for (part.last = part.first; part.last < end && n < hessian_columns; ++part.last)
          n += part.by_unit() ? n_m * n_q : l == m ? n_q - part.last : n_q;
        const size_t some = part.last - part.first;
        part.size = part.by_unit()
                        ? HessianPart::Size{n_j, padded<double>(some * n_m * n_q), 0, 0}
                        : HessianPart::Size{l == m ? n_l * (n_l + 1) / 2 : n_l * n_m,
                                            padded<double>(n), 0, 0};
        if (m == l + 1 && part.mixed)
          part.size.more_rows = n_m, part.size.more_stride = padded<double>(n_l * some);
        part.at = at;
        at += part.size.numbers();
        parts.push_back(part);
      }
    }
  return parts;
}

// The lower halves of the blocks between two units of a layer from their upper ones.
void complete_blocks(const Problem &problem, double *hessian) {
  const size_t P = problem.n_parameters;
  for (size_t l = 0; l < problem.layers.size(); ++l) {
    const Layer &layer = problem.layers[l];
    const size_t n = layer.n_in, units = layer.n_out;
    for (size_t i = 0; i < units; ++i)
      for (size_t k = i + 1; k < units; ++k) {
        double *block = hessian + (layer.weights + i * n) * P + layer.weights + k * n;
        for (size_t j = 0; j < n; ++j)
          for (size_t q = 0; q < j; ++q) block[j * P + q] = block[q * P + j];
        if (!problem.model.bias) continue;
        // the weights of k and the bias of i: above the diagonal only here
        for (size_t q = 0; q < n; ++q)
          hessian[(layer.weights + k * n + q) * P + layer.biases + i] =
              hessian[(layer.weights + i * n + q) * P + layer.biases + k];
      }
  }
}

}  // namespace

std::vector<std::string> engines() {
  std::vector<std::string> names;
  for (const Engine *engine : available()) names.push_back(engine->name);
  return names;
}

std::vector<std::string> activation_names() {
#define NNP_NAME(name, ...) #name,
  return {NNP_ACTIVATIONS(NNP_NAME)};
}

std::vector<std::string> loss_names() {
  return {NNP_LOSSES(NNP_NAME)};
#undef NNP_NAME
}

void vector_function(const std::string &engine, bool single, int which, size_t n,
                     const double *in, double *out) {
  const Engine *found = find_engine(engine);
  (single ? found->in_single : found->in_double).function(which, n, in, out);
}

template <class Real>
Kernel::Kernel(const Model &model, size_t n_samples, const Real *X, const double *truth,
               size_t n_threads, const std::string &engine, bool single)
    : engine_(find_engine(engine)),
      precision_(single ? &engine_->in_single : &engine_->in_double),
      pool_(new Pool(n_threads)) {
  problem_.model = model;
  problem_.n_samples = n_samples;
  problem_.n_parameters = 0;
  size_t units = 0;
  for (size_t l = 0; l + 1 < model.sizes.size(); ++l) {
    Layer layer{model.sizes[l], model.sizes[l + 1], problem_.n_parameters, 0, units};
    layer.biases = layer.weights + layer.n_in * layer.n_out;
    problem_.n_parameters = layer.biases + (model.bias ? layer.n_out : 0);
    units += layer.n_out;
    problem_.layers.push_back(layer);
  }
  single ? take_data<float>(X, truth) : take_data<double>(X, truth);
}

template <class Real, class From>
void Kernel::take_data(const From *X, const double *truth) {
  const size_t n_in = problem_.n_in(), rows = problem_.truth_rows();
  const size_t n_padded = padded<Real>(problem_.n_samples);
  auto &data = std::get<Data<Real>>(problem_.data);
  data = {Buffer<Real>(n_padded * n_in), Buffer<Real>(n_padded * rows)};
  for (size_t t = 0; t < n_tiles(problem_.n_samples); ++t) {
    const Tile<Real> tile = problem_.tile<Real>(t);
    const size_t first = t * tile_samples<Real>;
    Real *inputs = data.inputs.data() + first * n_in;
    Real *to = data.truth.data() + first * rows;
    for (size_t s = 0; s < tile.count; ++s) {
      for (size_t i = 0; i < n_in; ++i)
        inputs[i * tile.width + s] = X[(first + s) * n_in + i];
      for (size_t o = 0; o < rows; ++o)
        to[o * tile.width + s] = truth[(first + s) * rows + o];
    }
  }
}

template Kernel::Kernel(const Model &, size_t, const double *, const double *,
                        size_t, const std::string &, bool);
template Kernel::Kernel(const Model &, size_t, const float *, const double *,
                        size_t, const std::string &, bool);

size_t Kernel::n_tiles(size_t n_samples) const {
  return (n_samples + precision_->tile_samples - 1) / precision_->tile_samples;
}

// The loss, and the gradient if asked for, summed over samples.
double Kernel::sum_chunks(const double *x, const Samples &samples,
                          double *gradient) const {
  const size_t n_tiles = this->n_tiles(samples.count);
  const size_t chunks = n_chunks(n_tiles), P = problem_.n_parameters;
  if (chunks == 1)
    return precision_->gradient(problem_, x, samples, 0, n_tiles, gradient);
  Buffer<double> losses(chunks), parts = Buffer<double>::raw(gradient ? chunks * P : 0);
  pool_->run(chunks, [&](size_t c) {
    losses[c] = precision_->gradient(problem_, x, samples, c * n_tiles / chunks,
                                  (c + 1) * n_tiles / chunks,
                                  gradient ? parts.data() + c * P : nullptr);
  });
  double loss;
  sum_parts(chunks, 1, losses, &loss);
  if (gradient) sum_parts(chunks, P, parts, gradient);
  return loss;
}

// f(first, last) for each run of parameters that the penalty contains.
template <class F>
void Kernel::for_each_penalised(F f) const {
  const Model &model = problem_.model;
  if (model.regularize_bias || !model.bias) return f(0, problem_.n_parameters);
  for (const Layer &layer : problem_.layers) f(layer.weights, layer.biases);
}

double Kernel::penalty(const double *x) const {
  constexpr size_t some = 8;  // sums: one alone would wait for each of its additions
  double totals[some] = {}, errors[some] = {};
  for_each_penalised([&](size_t first, size_t last) {
    for (; first + some <= last; first += some)
      for (size_t i = 0; i < some; ++i)
        add_compensated(x[first + i] * x[first + i], totals[i], errors[i]);
    for (size_t i = 0; first < last; ++i, ++first)
      add_compensated(x[first] * x[first], totals[i], errors[i]);
  });
  double total = 0, error = 0;
  for (size_t i = 0; i < some; ++i) {
    add_compensated(totals[i], total, error);
    error += errors[i];
  }
  // past the largest number the carried error is no longer one
  if (!std::isfinite(total)) return problem_.model.regularization > 0 ? total : 0;
  return problem_.model.regularization * (total + error);
}

// From the sums over n samples of a derivative of the gradient along v, or the gradient if
// that is x, to what it is of the mean, with the penalty.
void Kernel::mean(const double *v, size_t n, double *sums) const {
  const double scale = 1.0 / n, c = 2 * problem_.model.regularization;
  for (size_t k = 0; k < problem_.n_parameters; ++k) sums[k] *= scale;
  for_each_penalised([&](size_t first, size_t last) {
    for (size_t k = first; k < last; ++k) sums[k] += c * v[k];
  });
}

// From sums over n samples to means, with the penalty.
double Kernel::finish(const double *x, double loss, size_t n,
                      double *gradient) const {
  if (gradient) {
    mean(x, n, gradient);
  }
  return loss / n + penalty(x);
}

double Kernel::energy(const double *x) const {
  return energy_gradient(x, nullptr);
}

double Kernel::energy_gradient(const double *x, double *gradient) const {
  const size_t n = problem_.n_samples;
  const double loss = sum_chunks(x, {nullptr, n}, gradient);
  return finish(x, loss, n, gradient);
}

double Kernel::subset(const double *x, const long long *indices,
                      size_t n_indices, double *gradient) const {
  const double loss = sum_chunks(x, {indices, n_indices}, gradient);
  return finish(x, loss, n_indices, gradient);
}

void Kernel::many(const double *x, size_t n_points, double *energies,
                  double *gradients) const {
  const size_t P = problem_.n_parameters;
  // inside, each point finds the pool busy and runs on its own thread
  pool_->run(n_points, [&](size_t i) {
    energies[i] = energy_gradient(x + i * P, gradients ? gradients + i * P : nullptr);
  });
}

double Kernel::energy_gradient_hessian(const double *x, double *gradient,
                                       double *hessian,
                                       bool gauss_newton) const {
  if (precision_ == &engine_->in_single)
    throw std::logic_error("there is no Hessian in single precision");
  const size_t P = problem_.n_parameters, n = problem_.n_samples;
  const size_t n_tiles = this->n_tiles(n), chunks = n_chunks(n_tiles);
  const std::vector<HessianPart> parts = hessian_parts(problem_, gauss_newton);
  const size_t size = parts.back().at + parts.back().size.numbers();
  Buffer<double> sums = Buffer<double>::raw(size);
  Buffer<double> total = Buffer<double>::raw(n_tiles > fold_tiles ? size : 0);
  // as many tiles at once as their second derivatives leave room for
  size_t pairs = 0;
  for (const Layer &a : problem_.layers)
    for (const Layer &b : problem_.layers) pairs += a.n_out * b.n_out;
  HessianSamples samples(std::min(
      std::clamp(hessian_doubles / (pairs * tile_samples<double>), size_t(1), size_t(4)), n_tiles));
  size_t summed = 0, folds = 0;  // tiles in `sums`, and sums in `total`
  auto fold = [&] {
    for (size_t k = 0; k < size; ++k) total[k] = folds ? total[k] + sums[k] : sums[k];
    ++folds;
    summed = 0;
  };
  auto empty = [&] {
    if (summed >= fold_tiles) fold();
    pool_->run(parts.size(), [&](size_t u) {
      engine_->hessian_part(problem_, samples, parts[u], summed > 0,
                            sums.data() + parts[u].at);
    });
    summed += samples.counts.size();
    samples.counts.clear();
  };
  Buffer<double> losses(chunks), gradients = Buffer<double>::raw(chunks * P);
  for (size_t c = 0; c < chunks; ++c)
    losses[c] = engine_->hessian_samples(
        problem_, x, c * n_tiles / chunks, (c + 1) * n_tiles / chunks, gauss_newton,
        gradients.data() + c * P, samples, empty);
  empty();
  if (folds) fold();
  double loss;
  sum_parts(chunks, 1, losses, &loss);
  sum_parts(chunks, P, gradients, gradient);
  const double energy = finish(x, loss, n, gradient);

  const Buffer<double> &result = folds ? total : sums;
  pool_->run(parts.size(), [&](size_t u) {
    engine_->hessian_place(problem_, parts[u], 1.0 / n, result.data() + parts[u].at,
                           hessian);
  });
  complete_blocks(problem_, hessian);
  const double c = 2 * problem_.model.regularization;
  for_each_penalised([&](size_t first, size_t last) {
    for (size_t k = first; k < last; ++k) hessian[k * P + k] += c;
  });
  return energy + engine_->hessian_mirror(P, hessian);
}

void Kernel::hessian_products(const double *x, const double *vectors,
                              size_t n_vectors, double *products) const {
  const size_t P = problem_.n_parameters, n_tiles = this->n_tiles(problem_.n_samples);
  const size_t chunks = n_chunks(n_tiles), size = n_vectors * P;
  if (chunks == 1) {
    precision_->product(problem_, x, vectors, n_vectors, 0, n_tiles, products);
  } else {
    Buffer<double> parts = Buffer<double>::raw(chunks * size);
    pool_->run(chunks, [&](size_t c) {
      precision_->product(problem_, x, vectors, n_vectors, c * n_tiles / chunks,
                       (c + 1) * n_tiles / chunks, parts.data() + c * size);
    });
    sum_parts(chunks, size, parts, products);
  }
  for (size_t i = 0; i < n_vectors; ++i)
    mean(vectors + i * P, problem_.n_samples, products + i * P);
}

}  // namespace nnpotential
