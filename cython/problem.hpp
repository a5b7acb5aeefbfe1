// The network, its loss and its data as the engines read them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

namespace nnpotential {

// Every activation: its name, also in Python, and its trait in activations.hpp.
#define NNP_ACTIVATIONS(ONE) \
  ONE(tanh, Tanh)            \
  ONE(sigmoid, Sigmoid)      \
  ONE(softplus, Softplus)    \
  ONE(silu, Silu)            \
  ONE(gelu, Gelu)            \
  ONE(relu, Relu)

// Every loss: its name, also in Python, its trait in losses.hpp, what that reads of a
// sample, one class index (label) or n_out numbers (targets), and whether it stays as
// it is when one number is added to all outputs.
#define NNP_LOSSES(ONE)                            \
  ONE(cross_entropy, CrossEntropy, label, true)    \
  ONE(squared_error, SquaredError, targets, false) \
  ONE(binary_cross_entropy, BinaryCrossEntropy, label, false)

#define NNP_NAME(name, ...) name,
enum class Activation { NNP_ACTIVATIONS(NNP_NAME) };
enum class Loss { NNP_LOSSES(NNP_NAME) };
#undef NNP_NAME

enum class Truth { label, targets };

// Numbers a sample that a loss reads beside the outputs.
inline size_t truth_rows(Loss loss, size_t n_out) {
  constexpr Truth truths[] = {
#define NNP_TRUTH(name, Trait, truth, shifts) Truth::truth,
      NNP_LOSSES(NNP_TRUTH)
#undef NNP_TRUTH
  };
  return truths[static_cast<size_t>(loss)] == Truth::label ? 1 : n_out;
}

// Whether the derivatives in the outputs sum to zero.
inline bool shifts(Loss loss) {
  constexpr bool all[] = {
#define NNP_SHIFTS(name, Trait, truth, shifts) shifts,
      NNP_LOSSES(NNP_SHIFTS)
#undef NNP_SHIFTS
  };
  return all[static_cast<size_t>(loss)];
}

// Everything that defines the loss apart from the data.
struct Model {
  std::vector<size_t> sizes;  // n_in, hidden ..., n_out
  bool bias;
  Activation activation;
  Loss loss;
  double regularization;  // weight of sum x_i^2
  bool regularize_bias;
};

// The weights (n_out, n_in) and then the biases (n_out,) of one layer, as
// offsets into the parameter vector; `units` is the number in the layers below.
struct Layer {
  size_t n_in, n_out, weights, biases, units;
};

// Memory, by its size in bytes, that a thread has let go and takes again: a call needs
// what the last one did, and new pages would cost a small network more than its arithmetic.
class Shelf {
 public:
  static void *take(size_t size) {
    if (Shelf *shelf = here())
      if (auto &blocks = shelf->blocks_[size_class(size)]; !blocks.empty()) {
        void *block = blocks.back();
        blocks.pop_back();
        shelf->bytes_ -= bytes(size);
        return block;
      }
    void *block = std::aligned_alloc(64, bytes(size));
    if (!block) throw std::bad_alloc();
    return block;
  }
  static void give(void *block, size_t size) noexcept {
    Shelf *shelf = bytes(size) <= most / 4 ? here() : nullptr;
    if (!shelf) return std::free(block);
    if (shelf->bytes_ + bytes(size) > most) shelf->clear();
    try {
      shelf->blocks_[size_class(size)].push_back(block);
      shelf->bytes_ += bytes(size);
    } catch (const std::bad_alloc &) {
      std::free(block);
    }
  }

 private:
  static constexpr size_t most = size_t(1) << 25;

  // Cache lines, rounded up to 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 ...
  static size_t lines(size_t size, size_t *number = nullptr) {
    const size_t n = size / 64 + 1;
    size_t doublings = 0;
    while (n > size_t(8) << doublings) ++doublings;
    const size_t steps = ((n - 1) >> doublings) + 1;
    if (number) *number = 4 * doublings + steps;
    return steps << doublings;
  }
  static size_t bytes(size_t size) { return 64 * lines(size); }
  static size_t size_class(size_t size) {
    size_t number;
    lines(size, &number);
    return number;
  }
  // Null once the thread ends.
  static Shelf *here() {
    static thread_local bool ended = false;
    struct Owner {
      Shelf shelf;
      ~Owner() { ended = true; }
    };
    if (ended) return nullptr;
    static thread_local Owner owner;
    return &owner.shelf;
  }
  void clear() {
    for (auto &blocks : blocks_) {
      for (void *block : blocks) std::free(block);
      blocks.clear();
    }
    bytes_ = 0;
  }
  ~Shelf() { clear(); }

  std::vector<void *> blocks_[4 * 64 + 9];
  size_t bytes_ = 0;
};

// Memory aligned to whole cache lines, zero at first unless raw.
template <class Real>
class Buffer {
 public:
  explicit Buffer(size_t n = 0) : Buffer(raw(n)) {
    for (size_t i = 0; i < n; ++i) data_[i] = 0;
  }
  static Buffer raw(size_t n) {
    Buffer buffer{nullptr};
    if (n > 0) {
      buffer.data_ = static_cast<Real *>(Shelf::take(n * sizeof(Real)));
      buffer.size_ = n;
    }
    return buffer;
  }
  Buffer(Buffer &&other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
  }
  Buffer &operator=(Buffer &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (data_) Shelf::give(data_, size_ * sizeof(Real));
  }
  Real *data() { return data_; }
  const Real *data() const { return data_; }
  Real &operator[](size_t i) { return data_[i]; }
  Real operator[](size_t i) const { return data_[i]; }

 private:
  explicit Buffer(std::nullptr_t) : data_(nullptr) {}
  Real *data_;
  size_t size_ = 0;
};

// A run of samples, stored feature by feature so that the vector lanes run
// over samples. `width`, the stride, is `count` rounded up to whole vectors;
// the padding is kept out of every sum.
template <class Real>
struct Tile {
  size_t count, width;
  const Real *inputs;  // [n_in][width]
  const Real *truth;   // [truth_rows][width]
};

// In single precision a sum over the samples of a tile takes half the steps, while bringing
// its lanes together costs more: the tile is longer.
template <class Real>
constexpr size_t tile_samples = sizeof(Real) == sizeof(double) ? 128 : 512;
// Whole vectors of every engine.
template <class Real>
constexpr size_t lane_multiple = 64 / sizeof(Real);
// Columns of a part of the Hessian, about: few of its vectors of columns are not whole.
constexpr size_t hessian_columns = 128;

template <class Real>
constexpr size_t padded(size_t count) {
  return (count + lane_multiple<Real> - 1) / lane_multiple<Real> * lane_multiple<Real>;
}

// The data in one precision, tile by tile.
template <class Real>
struct Data {
  Buffer<Real> inputs, truth;
};

// What a loss is a function of; read-only once made.
struct Problem {
  Model model;
  std::vector<Layer> layers;
  size_t n_parameters, n_samples;
  std::tuple<Data<double>, Data<float>> data;  // one of them filled

  size_t n_in() const { return layers.front().n_in; }
  size_t n_out() const { return layers.back().n_out; }
  size_t truth_rows() const {
    return nnpotential::truth_rows(model.loss, n_out());
  }
  // The units of a layer whose second derivatives are summed: where those of the
  // outputs sum to zero, the last one's follow from the others'.
  size_t curved(size_t l) const {
    return layers[l].n_out - (l + 1 == layers.size() && shifts(model.loss));
  }
  template <class Real>
  Tile<Real> tile(size_t t) const {
    const size_t first = t * tile_samples<Real>, left = n_samples - first;
    const size_t count = left < tile_samples<Real> ? left : tile_samples<Real>;
    const auto &[inputs, truth] = std::get<Data<Real>>(data);
    return {count, padded<Real>(count), inputs.data() + first * n_in(),
            truth.data() + first * truth_rows()};
  }
};

// The samples that a call sums over: all of them, or a list of indices.
struct Samples {
  const long long *indices;  // null for all
  size_t count;
};

}  // namespace nnpotential
