// Vectors of NNP_BYTES, of numbers of the type `Real`. Included once per instruction
// set and precision, in its namespace.

// f(0), ..., f(n - 1), each a constant, so that arrays with them as indices are registers.
template <class F, int... i>
NNP_INLINE void each_of(std::integer_sequence<int, i...>, const F &f) {
  (f(std::integral_constant<int, i>()), ...);
}
template <int n, class F>
NNP_INLINE void each(const F &f) {
  each_of(std::make_integer_sequence<int, n>(), f);
}

constexpr int lanes = NNP_BYTES / sizeof(Real);

typedef Real V __attribute__((vector_size(NNP_BYTES)));
typedef Integer M __attribute__((vector_size(NNP_BYTES)));
typedef Natural U __attribute__((vector_size(NNP_BYTES)));

// Picks lanes of two vectors.
#if defined(__clang__)
NNP_INLINE V nnp_shuffle(V a, V b, M mask) {
  V picked;
  for (int i = 0; i < lanes; ++i)
    picked[i] = mask[i] < lanes ? a[mask[i]] : b[mask[i] - lanes];
  return picked;
}
#endif

// Unlike memcpy these tell the compiler that only such numbers are read or written.
typedef Real Unaligned __attribute__((vector_size(NNP_BYTES), aligned(sizeof(Real))));
NNP_INLINE V load(const Real *p) { return *(const Unaligned *)p; }
// For several uses, which the compiler is not to turn into loads of their own.
NNP_INLINE V load_once(const Real *p) {
  V v = load(p);
#if defined(__x86_64__)
  __asm__("" : "+v"(v));
#endif
  return v;
}
NNP_INLINE void store(Real *p, V v) { *(Unaligned *)p = v; }
NNP_INLINE V splat(Real c) { return c - V{}; }
NNP_INLINE V select(M mask, V a, V b) { return mask ? a : b; }
NNP_INLINE V minus_absolute(V a) { return (V)((M)a | (M)splat(-0.0)); }
NNP_INLINE V larger(V a, V b) { return select(a > b, a, b); }
NNP_INLINE Real sum(V v) {
  Real parts[lanes];
  __builtin_memcpy(parts, &v, sizeof v);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  return parts[0];
}
NNP_INLINE V lane_numbers() {
  V v;
  for (int i = 0; i < lanes; ++i) v[i] = i;
  return v;
}
