// The loss of a fully connected network and its derivatives, over fixed data.
//
// This header is the only interface between the numerics and the rest of the
// project: it knows neither pele nor Python.
#pragma once

#include <cstddef>
#include <vector>

namespace nnpotential {

enum class Activation { tanh, sigmoid, softplus, silu, relu };
enum class Loss { cross_entropy, squared_error };

// Everything that defines the loss apart from the data.
struct Model {
  std::vector<size_t> sizes;  // n_in, hidden ..., n_out
  bool bias;
  Activation activation;
  Loss loss;
  double regularization;  // weight of sum x_i^2
  bool regularize_bias;
};

class Kernel {
 public:
  // X is (n_samples, n_in) in C order. For cross-entropy `labels` holds one
  // class index a sample; for squared error `targets` is (n_samples, n_out).
  Kernel(const Model &model, size_t n_samples, const double *X,
         const long long *labels, const double *targets);

  size_t n_parameters() const { return n_parameters_; }
  size_t n_samples() const { return n_samples_; }

  // Every method may be called from several threads at once.
  double energy(const double *x) const;
  double energy_gradient(const double *x, double *gradient) const;
  // `hessian` is the full symmetric (n_parameters, n_parameters) matrix.
  double energy_gradient_hessian(const double *x, double *gradient,
                                 double *hessian) const;
  void hessian_vector_product(const double *x, const double *v,
                              double *product) const;

 private:
  // The weights (n_out, n_in) and then the biases (n_out,) of one layer.
  struct Layer {
    size_t n_in, n_out, weights, biases;
  };
  // A run of consecutive samples, stored feature by feature so that the
  // innermost loops run over samples. `width` is `count` rounded up to whole
  // vectors; the padding is kept out of every sum by a zero derivative.
  struct Tile {
    size_t first, count, width;
    const double *input;
  };
  struct Workspace;

  template <int order>
  double forward(const double *x, const Tile &tile, Workspace &w) const;
  template <int order>
  double output_layer(const Tile &tile, Workspace &w) const;
  void backward(const double *x, const Tile &tile, Workspace &w) const;
  void add_gradient(const Tile &tile, const Workspace &w, double *g) const;
  void add_hessian(const double *x, const Tile &tile, Workspace &w,
                   double *hessian) const;
  void add_product(const double *x, const double *v, const Tile &tile,
                   Workspace &w, double *product) const;
  double penalty(const double *x) const;
  template <class F>
  void for_each_penalised(F f) const;

  Model model_;
  size_t n_samples_, n_parameters_, widest_;
  std::vector<Layer> layers_;
  std::vector<double> data_;  // the inputs, tile by tile
  std::vector<Tile> tiles_;
  std::vector<long long> labels_;
  std::vector<double> targets_;
};

}  // namespace nnpotential
