// All of an engine. Included once per instruction set, in a namespace of its own, with
// NNP_BYTES, the size of its vectors, defined.

#define NNP_MEMBER inline __attribute__((always_inline))
#define NNP_INLINE static NNP_MEMBER
#define NNP_LAMBDA __attribute__((always_inline))
#if defined(__clang__)
#define NNP_SHUFFLE(a, b, mask) nnp_shuffle(a, b, mask)
#else
#define NNP_SHUFFLE(a, b, mask) __builtin_shuffle(a, b, mask)
#endif

// Numbers in the precision `Real`.
template <class Real>
class Converted {
 public:
  Converted(size_t n, const double *from) : numbers_(Buffer<Real>::raw(n)) {
    for (size_t i = 0; i < n; ++i) numbers_[i] = from[i];
  }
  const Real *data() const { return numbers_.data(); }

 private:
  Buffer<Real> numbers_;
};
template <>
class Converted<double> {
 public:
  Converted(size_t, const double *from) : numbers_(from) {}
  const double *data() const { return numbers_; }

 private:
  const double *numbers_;
};

namespace f64 {
typedef double Real;
typedef long long Integer;
typedef unsigned long long Natural;
#include "simd.hpp"
#include "functions64.hpp"
#include "precision.hpp"
#include "hessian.hpp"
}  // namespace f64

namespace f32 {
typedef float Real;
typedef int Integer;
typedef unsigned int Natural;
#include "simd.hpp"
#include "functions32.hpp"
#include "precision.hpp"
}  // namespace f32

#define NNP_ENGINE(name)                                                  \
  {name, f64::precision, f32::precision, f64::hessian_samples, f64::hessian_part, \
   f64::hessian_place, f64::hessian_mirror}
