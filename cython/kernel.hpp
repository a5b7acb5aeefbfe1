// The loss of a fully connected network and its derivatives, over fixed data.
//
// This class is the only interface between the numerics and the rest of the
// project: it knows neither pele nor Python. Results are the same to the last
// bit for any number of threads.
#pragma once

#include <memory>
#include <string>

#include "engine.hpp"
#include "pool.hpp"

namespace nnpotential {

class Kernel {
 public:
  // X is (n_samples, n_in) and `truth` (n_samples, truth_rows), in C order.
  // `engine` is the name of an instruction set, or empty for the best one here. With
  // `single` all but the sums of many samples is in single precision, and there is no
  // Hessian, only its products.
  template <class Real>
  Kernel(const Model &model, size_t n_samples, const Real *X, const double *truth,
         size_t n_threads, const std::string &engine, bool single);

  size_t n_parameters() const { return problem_.n_parameters; }
  size_t n_samples() const { return problem_.n_samples; }
  const char *engine() const { return engine_->name; }

  // Every method may be called from several threads at once.
  double energy(const double *x) const;
  double energy_gradient(const double *x, double *gradient) const;
  // The mean over the listed samples only; indices may repeat. `gradient` may
  // be null.
  double subset(const double *x, const long long *indices, size_t n_indices,
                double *gradient) const;
  // Points and gradients are (n_points, n_parameters) in C order.
  void many(const double *x, size_t n_points, double *energies,
            double *gradients) const;
  // `hessian` is the full symmetric (n_parameters, n_parameters) matrix, or
  // its Gauss-Newton part. Where that is not finite what is returned is not a number.
  double energy_gradient_hessian(const double *x, double *gradient,
                                 double *hessian,
                                 bool gauss_newton = false) const;
  // Vectors and products are (n_vectors, n_parameters) in C order.
  void hessian_products(const double *x, const double *vectors,
                        size_t n_vectors, double *products) const;

 private:
  double sum_chunks(const double *x, const Samples &samples,
                    double *gradient) const;
  void mean(const double *v, size_t n, double *sums) const;
  double finish(const double *x, double loss, size_t n, double *gradient) const;
  double penalty(const double *x) const;
  template <class F>
  void for_each_penalised(F f) const;

  template <class Real, class From>
  void take_data(const From *X, const double *truth);
  size_t n_tiles(size_t n_samples) const;

  Problem problem_;
  const Engine *engine_;
  const Precision *precision_;
  std::unique_ptr<Pool> pool_;
};

// Names of the engines that run on this machine, the best first.
std::vector<std::string> engines();
// In the order of their enumerators.
std::vector<std::string> activation_names();
std::vector<std::string> loss_names();
// See Precision::function.
void vector_function(const std::string &engine, bool single, int which, size_t n,
                     const double *in, double *out);

}  // namespace nnpotential
