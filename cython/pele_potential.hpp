// The kernel as a pele potential, so that pele's C++ optimisers walk on it
// with no Python per step.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "kernel.hpp"
#include "pele/base_potential.hpp"

namespace nnpotential {

class PelePotential : public pele::BasePotential {
 public:
  explicit PelePotential(std::shared_ptr<Kernel> kernel) : kernel_(kernel) {}

  size_t get_ndim() const override { return kernel_->n_parameters(); }

  double get_energy(pele::Array<double> const &x) override {
    check(x.size(), 1);
    return kernel_->energy(x.data());
  }

  double get_energy_gradient(pele::Array<double> const &x,
                             pele::Array<double> &gradient) override {
    check(x.size(), 1);
    check(gradient.size(), 1);
    return kernel_->energy_gradient(x.data(), gradient.data());
  }

  double get_energy_gradient_hessian(pele::Array<double> const &x,
                                     pele::Array<double> &gradient,
                                     pele::Array<double> &hessian) override {
    check(x.size(), 1);
    check(gradient.size(), 1);
    check(hessian.size(), kernel_->n_parameters());
    return kernel_->energy_gradient_hessian(x.data(), gradient.data(),
                                            hessian.data());
  }

 private:
  void check(size_t size, size_t rows) const {
    if (size != rows * kernel_->n_parameters())
      throw std::invalid_argument(
          "the network has " + std::to_string(kernel_->n_parameters()) +
          " parameters; an array of size " + std::to_string(size) +
          " does not fit it");
  }
  std::shared_ptr<Kernel> kernel_;
};

}  // namespace nnpotential
