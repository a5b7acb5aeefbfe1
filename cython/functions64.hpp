// The functions of vectors of doubles that a network needs. Included once per
// instruction set, after simd.hpp, in its namespace for doubles.

// exp(x) = 2^k (1 + p) for x = k log 2 + r: gives 2^k and p. For -700 <= x <= 700.
NNP_INLINE void split_exp(V x, V &scale, V &p) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: rounds to integers
  const V t = x * 1.4426950408889634 + magic;
  const V k = t - magic;
  const V coarse = x - k * 6.93147180369123816490e-01;  // exact
  const V r = coarse - k * 1.90821492927058770002e-10;
  // r + r^2 / 2 + r^3 times the interpolant in the Chebyshev nodes of
  // |r| <= log(2) / 2; its relative error there is below 1e-16
  const V s = r * r;
  V even = splat(2.5095554677111112e-08);
  even = even * s + 2.755728006701698e-06;
  even = even * s + 0.0001984126985433861;
  even = even * s + 0.008333333333332155;
  even = even * s + 0.16666666666666666;
  V odd = splat(2.761380686153829e-07);
  odd = odd * s + 2.4801536388690766e-05;
  odd = odd * s + 0.0013888888905881542;
  odd = odd * s + 0.04166666666665136;
  odd = odd * s + 0.5;
  p = r + s * (odd + r * even);
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
  const V z = minus_absolute(x + x);
  V scale, p;
  split_exp(select(z < -700.0, splat(-700.0), z), scale, p);
  // tanh |x| = n / d for n, d = 1 -+ exp(-2 |x|), and what is lost where these are rounded
  const V part = scale * p, below = 1.0 - scale, above = 1.0 + scale;
  const V n = below - part, d = above + part, q = n / d;
  const V n_lost = (below - n) - part, d_lost = (above - d) + part;
  const V inverse = 0.5 + 0.5 * q;  // 1 / d
  return (V)((M)(q + inverse * (n_lost - q * d_lost)) | sign);
}

// The normal distribution's probability beyond x not below 0, erfc(x / sqrt 2) / 2,
// and its density there. From 37 on both are below 1e-298, and 0 here.
NNP_INLINE V normal_tail(V x, V &density) {
  const M far = x > 37.0;
  const V y = select(far, splat(37.0), x);
  density = select(far, V{}, 0.3989422804014327 * exp_nonpositive(-0.5 * y * y));
  // y + 5.5 times their ratio is smooth in 1 / (y + 5.5), after M. M. Shepherd and
  // J. G. Laframboise, Math. Comput. 36, 249 (1981). Here it is the interpolant in
  // the Chebyshev nodes of 0 <= y <= 38, relative error 5e-17, in powers of a t
  // that is small where the probability is not.
  const V q = 1.0 / (y + 5.5), t = (y - 1.5) * q, s = t * t;
  V even = splat(0.0005389769570516727);
  even = even * s + 0.0007875678265640655;
  even = even * s + 0.000342301060151519;
  even = even * s - 0.002454505691503639;
  even = even * s + 0.008490982689098316;
  even = even * s + 0.0010359884630115372;
  even = even * s - 0.396085616559837;
  even = even * s + 4.171879669735059;
  even = even * s + 13.093106667292428;
  even = even * s + 11.688349637303698;
  even = even * s + 3.6107094675257434;
  V odd = splat(-8.64434146747203e-05);
  odd = odd * s - 0.001211303980645411;
  odd = odd * s + 0.0007698575045185233;
  odd = odd * s - 0.003658482675703525;
  odd = odd * s + 0.014544913440685923;
  odd = odd * s - 0.06440991241069922;
  odd = odd * s + 0.2961333471295813;
  odd = odd * s - 0.8049624908899586;
  odd = odd * s - 9.031196326131564;
  odd = odd * s - 14.105783171789389;
  odd = odd * s - 7.476841123453949;
  return density * ((even + t * odd) * q);
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
