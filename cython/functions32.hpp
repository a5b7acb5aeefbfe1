// The functions of vectors of floats that a network needs, by the methods of
// functions64.hpp. Included once per instruction set, after simd.hpp, in its namespace
// for floats.

// exp(x) = 2^k (1 + p) for x = k log 2 + r and -87 <= x <= 0: gives 2^k and p.
NNP_INLINE void split_exp(V x, V &scale, V &p) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: rounds to integers
  const V t = x * 1.44269504f + magic;
  const V k = t - magic;
  const V r = (x - k * 0.693359375f) + k * 2.12194440e-4f;  // the first two are exact
  // r + r^2 times the interpolant in the Chebyshev nodes of |r| <= log(2) / 2; its
  // relative error there is below 3e-8
  const V s = r * r;
  V even = splat(1.392625e-03f);
  even = even * s + 4.1666552e-02f;
  even = even * s + 0.5f;
  V odd = splat(8.363233e-03f);
  odd = odd * s + 1.6666576e-01f;
  p = r + s * (even + r * odd);
  scale = (V)(((U)t + 127) << 23);
}

// exp of values not above 0; below -87 the result stays at exp(-87).
NNP_INLINE V exp_nonpositive(V x) {
  V scale, p;
  split_exp(select(x < -87.0f, splat(-87.0f), x), scale, p);
  return scale + scale * p;
}

NNP_INLINE V tanh_(V x) {
  const M sign = (M)x & (M)splat(-0.0f);
  const V z = minus_absolute(x + x);
  V scale, p;
  split_exp(select(z < -87.0f, splat(-87.0f), z), scale, p);
  const V e = (scale - 1.0f) + scale * p;  // exp(-2 |x|) - 1
  return (V)((M)(-e / (e + 2.0f)) | sign);
}

// The normal distribution's probability beyond x not below 0, and its density there.
// From 13 on both are below 1e-37, and 0 here.
NNP_INLINE V normal_tail(V x, V &density) {
  const M far = x > 13.0f;
  const V y = select(far, splat(13.0f), x);
  density = select(far, V{}, 0.398942280f * exp_nonpositive(-0.5f * y * y));
  // y + 3 times their ratio: the interpolant in the Chebyshev nodes of 0 <= y <= 13,
  // relative error 6e-8
  const V q = 1.0f / (y + 3.0f), t = (y - 1.5f) * q, s = t * t;
  V even = splat(-8.180572e-03f);
  even = even * s + 3.3803582e-02f;
  even = even * s - 1.5287095e-01f;
  even = even * s + 1.1942341f;
  even = even * s + 2.3211703f;
  V odd = splat(9.3246915e-04f);
  odd = odd * s - 3.3940775e-03f;
  odd = odd * s + 3.376511e-02f;
  odd = odd * s - 1.5870103e-01f;
  odd = odd * s - 2.260929f;
  return density * ((even + t * odd) * q);
}

// log(1 + x) for x not below 0.
NNP_INLINE V log1p_nonnegative(V x) {
  const V u = 1.0f + x;
  const V lost = select(x < 1.0f, x - (u - 1.0f), 1.0f - (u - x)) / u;
  const U bits = (U)u;
  const U k = (bits - 0x3f3504f3U) >> 23;
  const V m = (V)(bits - (k << 23));
  const V kd = (V)(k | 0x4b000000U) - 8388608.0f;
  const V f = m - 1.0f;
  const V s = f / (2.0f + f);
  const V z = s * s;
  // log m = 2 s + s R with the interpolant in the Chebyshev nodes; relative error 3e-9
  V R = splat(2.9590318e-01f);
  R = R * z + 3.998855e-01f;
  R = R * z + 6.6666687e-01f;
  R = R * z;
  const V half = 0.5f * f * f;
  const V result =
      kd * 0.693359375f - ((half - (s * (half + R) + (lost - kd * 2.12194440e-4f))) - f);
  // infinite or not a number comes out as it went in
  return select(x < 3.40282347e38f, result, x);
}
