// The force on an elastic band, for the optimiser that moves its images.
//
// As pele's NEB and NEBForce, all images together. It knows no potential.
//
// References: G. Henkelman and H. Jonsson, J. Chem. Phys. 113, 9978 (2000),
// for the tangents; S. A. Trygubenko and D. J. Wales, J. Chem. Phys. 120, 2082
// (2004), for double nudging.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace nnpotential {

inline double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// The uphill tangent at `here`, of length one.
inline void band_tangent(const double *left, const double *here,
                         const double *right, const double *energies, size_t n,
                         double *tangent) {
  const double rise = std::abs(energies[1] - energies[0]);
  const double fall = std::abs(energies[1] - energies[2]);
  const double high = std::max(rise, fall), low = std::min(rise, fall);
  const bool left_higher = energies[0] > energies[2];
  double of_left = left_higher, of_right = !left_higher;
  if (energies[1] >= std::max(energies[0], energies[2]) ||
      energies[1] <= std::min(energies[0], energies[2])) {
    of_left = left_higher ? high : low;
    of_right = left_higher ? low : high;
  }
  for (size_t i = 0; i < n; ++i)
    tangent[i] =
        of_left * (here[i] - left[i]) + of_right * (right[i] - here[i]);
  const double length = std::max(std::sqrt(dot(tangent, tangent, n)),
                                 std::numeric_limits<double>::min());
  for (size_t i = 0; i < n; ++i) tangent[i] /= length;
}

// `path` and `energies` are of all images; `gradients`, `climbing` and `force`
// (its sign changed) of all but the ends; `distances` of neighbours.
inline void band_force(const double *path, const double *energies,
                       const double *gradients, const unsigned char *climbing,
                       size_t n_images, size_t n, double k, bool double_nudging,
                       double *force, double *distances) {
  for (size_t i = 0; i + 1 < n_images; ++i) {
    double square = 0;
    for (size_t j = i * n; j < (i + 1) * n; ++j)
      square += (path[j + n] - path[j]) * (path[j + n] - path[j]);
    distances[i] = square;
  }
  for (size_t i = 1; i + 1 < n_images; ++i) {
    const double *here = path + i * n, *gradient = gradients + (i - 1) * n;
    const double *left = here - n, *right = here + n;
    double *out = force + (i - 1) * n;  // holds the tangent at first
    band_tangent(left, here, right, energies + i - 1, n, out);
    const double along = dot(gradient, out, n);
    if (climbing[i - 1]) {
      for (size_t j = 0; j < n; ++j) out[j] = gradient[j] - 2 * along * out[j];
      continue;
    }
    double spring_along = 0, share = 0;
    if (double_nudging) {
      double squares = std::numeric_limits<double>::min(), both = 0;
      for (size_t j = 0; j < n; ++j)
        spring_along += k * (2 * here[j] - left[j] - right[j]) * out[j];
      for (size_t j = 0; j < n; ++j) {
        const double across = gradient[j] - along * out[j];
        const double spring = k * (2 * here[j] - left[j] - right[j]);
        both += (spring - spring_along * out[j]) * across;
        squares += across * across;
      }
      share = both / squares;
    }
    const double pull = k * (distances[i - 1] - distances[i]) - along;
    for (size_t j = 0; j < n; ++j) {
      double total = gradient[j] + pull * out[j];
      if (double_nudging)
        total += k * (2 * here[j] - left[j] - right[j]) -
                 spring_along * out[j] - share * (gradient[j] - along * out[j]);
      out[j] = total;
    }
  }
  for (size_t i = 0; i + 1 < n_images; ++i)
    distances[i] = std::sqrt(distances[i]);
}

}  // namespace nnpotential
