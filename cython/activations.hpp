// The activations: one trait each, and the choice between them. Included once per
// instruction set and precision, after simd.hpp, in its namespace.
//
// A trait has `at(z)`: the activation, its first and its second derivative. One
// that NNP_ACTIVATIONS lists and that is not here, or lacks a value, does not
// compile.

struct Activated {
  V value, first, second;
  NNP_MEMBER Activated(V value, V first, V second)
      : value(value), first(first), second(second) {}
};

// 1 / (1 + exp(-z)), and 1 minus that without cancellation
NNP_INLINE V logistic(V z, V &complement) {
  const V e = exp_nonpositive(minus_absolute(z));
  const V large = 1.0 / (1.0 + e), small = e * large;
  complement = select(z < 0.0, large, small);
  return select(z < 0.0, small, large);
}

struct Tanh {
  NNP_INLINE Activated at(V z) {
    const V a = tanh_(z), first = (1.0 - a) * (1.0 + a);
    return {a, first, -2.0 * a * first};
  }
};

struct Sigmoid {
  NNP_INLINE Activated at(V z) {
    V c;
    const V a = logistic(z, c), first = a * c;
    return {a, first, first * (c - a)};
  }
};

struct Softplus {
  NNP_INLINE Activated at(V z) {
    V c;
    const V first = logistic(z, c);
    return {larger(z, V{}) + log1p_nonnegative(exp_nonpositive(minus_absolute(z))),
            first, first * c};
  }
};

struct Silu {
  NNP_INLINE Activated at(V z) {
    V c;
    const V s = logistic(z, c);
    return {z * s, s * (1.0 + z * c), s * c * (2.0 + z * (c - s))};
  }
};

// z times the probability P of the normal distribution below z.
struct Gelu {
  NNP_INLINE Activated at(V z) {
    V density;
    const V tail = normal_tail(select(z < 0.0, -z, z), density);
    const V below = select(z < 0.0, tail, 1.0 - tail);
    // the second in factors that the first has not: where they had one in common the
    // first would be rounded otherwise than where it is wanted alone
    const V second = (Real(1.4142135623730951) - z) * density * (Real(1.4142135623730951) + z);
    return {z * below, below + z * density, second};
  }
};

struct Relu {
  NNP_INLINE Activated at(V z) {
    return {larger(z, V{}), select(z > 0.0, splat(1.0), V{}), V{}};
  }
};

// z becomes s(z); with order >= 1 d1 = s'(z), with order >= 2 d2 = s''(z).
template <class Trait, int order>
static void activate_as(size_t n, Real *z, Real *d1, Real *d2) {
  for (size_t i = 0; i < n; i += lanes) {
    const Activated s = Trait::at(load(z + i));
    store(z + i, s.value);
    if (order >= 1) store(d1 + i, s.first);
    if (order >= 2) store(d2 + i, s.second);
  }
}

template <int order>
static void activate(Activation activation, size_t n, Real *z, Real *d1,
                     Real *d2) {
  switch (activation) {
#define NNP_CASE(name, Trait) \
  case Activation::name:      \
    return activate_as<Trait, order>(n, z, d1, d2);
    NNP_ACTIVATIONS(NNP_CASE)
#undef NNP_CASE
  }
}
