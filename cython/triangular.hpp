// Solutions with the Cholesky factor of a matrix that stays in cache.
#pragma once

#include <cstddef>

namespace nnpotential {

// Solves L L^T s = b in place. The columns of L follow one another; what is above its
// diagonal is not read, and `inverse` has the reciprocals of that. Four columns at a time:
// each alone would wait for its loads and sums.
inline void solve_factored(const double *factor, const double *inverse, size_t n, double *b) {
  constexpr size_t block = 4, lanes = 2;
  typedef double V __attribute__((vector_size(lanes * sizeof(double))));
  typedef double Unaligned
      __attribute__((vector_size(lanes * sizeof(double)), aligned(sizeof(double))));
  auto load = [](const double *p) -> V { return *(const Unaligned *)p; };
  auto column = [&](size_t j) { return factor + j * n; };
  const size_t first = n % block;  // the columns before the blocks

  for (size_t j = 0; j < first; ++j) {
    b[j] *= inverse[j];
    for (size_t i = j + 1; i < n; ++i) b[i] -= b[j] * column(j)[i];
  }
  for (size_t j = first; j < n; j += block) {
    const double *l0 = column(j), *l1 = l0 + n, *l2 = l1 + n, *l3 = l2 + n;
    const double b0 = b[j] * inverse[j];
    const double b1 = (b[j + 1] - l0[j + 1] * b0) * inverse[j + 1];
    const double b2 = (b[j + 2] - l0[j + 2] * b0 - l1[j + 2] * b1) * inverse[j + 2];
    const double b3 =
        (b[j + 3] - l0[j + 3] * b0 - l1[j + 3] * b1 - l2[j + 3] * b2) * inverse[j + 3];
    b[j] = b0, b[j + 1] = b1, b[j + 2] = b2, b[j + 3] = b3;
    for (size_t i = j + block; i < n; i += lanes)
      *(Unaligned *)(b + i) = load(b + i) - (b0 * load(l0 + i) + b1 * load(l1 + i)) -
                              (b2 * load(l2 + i) + b3 * load(l3 + i));
  }
  for (size_t j = n; j > first;) {
    j -= block;
    const double *l0 = column(j), *l1 = l0 + n, *l2 = l1 + n, *l3 = l2 + n;
    V s0{}, s1{}, s2{}, s3{};
    for (size_t i = j + block; i < n; i += lanes) {
      const V here = load(b + i);
      s0 += load(l0 + i) * here, s1 += load(l1 + i) * here;
      s2 += load(l2 + i) * here, s3 += load(l3 + i) * here;
    }
    const double b3 = (b[j + 3] - (s3[0] + s3[1])) * inverse[j + 3];
    const double b2 = (b[j + 2] - (s2[0] + s2[1]) - l2[j + 3] * b3) * inverse[j + 2];
    const double b1 =
        (b[j + 1] - (s1[0] + s1[1]) - l1[j + 3] * b3 - l1[j + 2] * b2) * inverse[j + 1];
    const double b0 = (b[j] - (s0[0] + s0[1]) - l0[j + 3] * b3 - l0[j + 2] * b2 -
                       l0[j + 1] * b1) * inverse[j];
    b[j] = b0, b[j + 1] = b1, b[j + 2] = b2, b[j + 3] = b3;
  }
  for (size_t j = first; j-- > 0;) {
    for (size_t i = j + 1; i < n; ++i) b[j] -= column(j)[i] * b[i];
    b[j] *= inverse[j];
  }
}

}  // namespace nnpotential
