// Vectors of NNP_LANES doubles and the functions of them that a network needs.
// Included once per instruction set, inside a namespace of its own.

typedef double V __attribute__((vector_size(8 * NNP_LANES)));
typedef long long M __attribute__((vector_size(8 * NNP_LANES)));
typedef unsigned long long U __attribute__((vector_size(8 * NNP_LANES)));

#define NNP_INLINE static inline __attribute__((always_inline))

NNP_INLINE V load(const double *p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
NNP_INLINE void store(double *p, V v) { __builtin_memcpy(p, &v, sizeof v); }
NNP_INLINE V splat(double c) { return c - V{}; }
NNP_INLINE V select(M mask, V a, V b) {
  return (V)((mask & (M)a) | (~mask & (M)b));
}
NNP_INLINE V larger(V a, V b) { return select(a > b, a, b); }
NNP_INLINE double sum(V v) {
  double parts[NNP_LANES];
  __builtin_memcpy(parts, &v, sizeof v);
  for (int half = NNP_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  return parts[0];
}
NNP_INLINE V lane_numbers() {
  V v;
  for (int i = 0; i < NNP_LANES; ++i) v[i] = i;
  return v;
}

// exp(x) - 1 = 2^k (1 + p) - 1 for x = k log 2 + r: gives 2^k and p. For
// -700 <= x <= 700.
NNP_INLINE void split_exp(V x, V &scale, V &p) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: rounds to integers
  const V t = x * 1.4426950408889634 + magic;
  const V k = t - magic;
  const V r = (x - k * 6.93147180369123816490e-01) -
              k * 1.90821492927058770002e-10;
  const V s = r * r;
  // the series to r^13; its remainder on |r| <= log(2) / 2 is below 1e-17
  V even = splat(1.0 / 479001600.0);
  even = even * s + 1.0 / 3628800.0;
  even = even * s + 1.0 / 40320.0;
  even = even * s + 1.0 / 720.0;
  even = even * s + 1.0 / 24.0;
  even = even * s + 0.5;
  V odd = splat(1.0 / 6227020800.0);
  odd = odd * s + 1.0 / 39916800.0;
  odd = odd * s + 1.0 / 362880.0;
  odd = odd * s + 1.0 / 5040.0;
  odd = odd * s + 1.0 / 120.0;
  odd = odd * s + 1.0 / 6.0;
  p = r + s * (even + r * odd);
  scale = (V)(((U)t + 1023) << 52);
}

// exp of values not above 0; below -700 the result stays at exp(-700).
NNP_INLINE V exp_nonpositive(V x) {
  V scale, p;
  split_exp(select(x < -700.0, splat(-700.0), x), scale, p);
  return scale + scale * p;
}

NNP_INLINE V tanh_(V x) {
  const M sign = (M)x & (M)splat(-0.0);
  const V z = (V)((M)(x + x) | (M)splat(-0.0));  // -2 |x|
  V scale, p;
  split_exp(select(z < -700.0, splat(-700.0), z), scale, p);
  const V e = scale * p + (scale - 1.0);  // exp(-2 |x|) - 1
  return (V)((M)(-e / (e + 2.0)) | sign);
}

// log(1 + x) for x not below 0, after the method of FDLIBM's s_log1p.c.
NNP_INLINE V log1p_nonnegative(V x) {
  const V u = 1.0 + x;
  const V lost = select(x < 1.0, x - (u - 1.0), 1.0 - (u - x)) / u;
  const U bits = (U)u;
  const U k = (bits - 0x3fe6a09e667f3bcdULL) >> 52;
  const V m = (V)(bits - (k << 52));
  const V kd = (V)(k | 0x4330000000000000ULL) - 4503599627370496.0;
  const V f = m - 1.0;
  const V s = f / (2.0 + f);
  const V z = s * s;
  V R = splat(1.479819860511658591e-01);
  R = R * z + 1.531383769920937332e-01;
  R = R * z + 1.818357216161805012e-01;
  R = R * z + 2.222219843214978396e-01;
  R = R * z + 2.857142874366239149e-01;
  R = R * z + 3.999999999940941908e-01;
  R = R * z + 6.666666666666735130e-01;
  R = R * z;
  const V half = 0.5 * f * f;
  const V result =
      kd * 6.93147180369123816490e-01 -
      ((half - (s * (half + R) + (kd * 1.90821492927058770002e-10 + lost))) -
       f);
  // infinite or not a number comes out as it went in
  return select(x < 1.7976931348623157e308, result, x);
}
