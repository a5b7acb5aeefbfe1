// The losses: one trait each, and the choice between them. Included once per
// instruction set and precision, after simd.hpp, in its namespace.
//
// A trait works on the outputs of one tile, [output][sample], and has
//   evaluate<order>(tile, n_out, z, delta)   the loss, lane by lane; with
//       order >= 1 delta becomes its gradient in the outputs, and z whatever the
//       other two need of it
//   product(tile, n_out, z, r, out)          its Hessian in the outputs times r
//   curvature(tile, n_out, z, delta, out)    that Hessian, [(i, k)][sample]
// What lies beyond the tile's last sample (`counted`) adds to no loss and has
// zeros as derivatives. A loss that NNP_LOSSES lists and that is not here, or
// lacks one of the three, does not compile.

NNP_INLINE M counted(const Tile &tile, size_t s) {
  return lane_numbers() + (Real)s < (Real)tile.count;
}

// log sum_k exp(z_k) - z_y for the class y; z becomes the probabilities.
struct CrossEntropy {
  template <int order>
  static V evaluate(const Tile &tile, size_t n_out, Real *z, Real *delta) {
    const size_t width = tile.width;
    V total = V{};
    for (size_t s = 0; s < width; s += lanes) {
      const V y = load(tile.truth + s);
      V top = load(z + s), at = V{}, right = top;
      for (size_t o = 1; o < n_out; ++o) {
        const V value = load(z + o * width + s), number = splat((Real)o);
        at = select(value > top, number, at);
        top = larger(value, top);
        right = select(y == number, value, right);
      }
      V others = V{};  // sum of exp(z - top) without the largest term
      for (size_t o = 0; o < n_out; ++o) {
        const V number = splat((Real)o);
        const V value = exp_nonpositive(load(z + o * width + s) - top);
        others += select(at == number, V{}, value);
        if (order >= 1) store(z + o * width + s, value);
      }
      const M real = counted(tile, s);
      total += select(real, (top - right) + log1p_nonnegative(others), V{});
      if (order >= 1) {
        const V scale = 1.0 / (1.0 + others);
        V wrong = V{};  // 1 - p of the right class, without cancellation
        for (size_t o = 0; o < n_out; ++o) {
          const V q = load(z + o * width + s) * scale;
          store(z + o * width + s, q);
          wrong += select(y == splat((Real)o), V{}, q);
        }
        for (size_t o = 0; o < n_out; ++o) {
          const V q = load(z + o * width + s);
          const V d = select(y == splat((Real)o), -wrong, q);
          store(delta + o * width + s, select(real, d, V{}));
        }
      }
    }
    return total;
  }

  static void product(const Tile &tile, size_t n_out, const Real *p,
                      const Real *r, Real *out) {
    const size_t width = tile.width;
    for (size_t s = 0; s < width; s += lanes) {
      const M real = counted(tile, s);
      V mean = V{};
      for (size_t o = 0; o < n_out; ++o)
        mean += load(p + o * width + s) * load(r + o * width + s);
      for (size_t o = 0; o < n_out; ++o) {
        const size_t at = o * width + s;
        store(out + at, select(real, load(p + at) * (load(r + at) - mean), V{}));
      }
    }
  }

  static void curvature(const Tile &tile, size_t n_out, const Real *p,
                        const Real *delta, Real *out) {
    const size_t width = tile.width;
    for (size_t i = 0; i < n_out; ++i)
      for (size_t k = 0; k < n_out; ++k)
        for (size_t s = 0; s < width; s += lanes) {
          const V q = load(p + i * width + s);
          V g;
          if (i == k) {
            // 1 - p without cancellation: for the right class -delta is that
            const M right = load(tile.truth + s) == splat((Real)i);
            g = q * select(right, -load(delta + i * width + s), 1.0 - q);
          } else {
            g = -q * load(p + k * width + s);
          }
          store(out + (i * n_out + k) * width + s,
                select(counted(tile, s), g, V{}));
        }
  }
};

// The mean of (z_k - y_k)^2 over the outputs.
struct SquaredError {
  template <int order>
  static V evaluate(const Tile &tile, size_t n_out, Real *z, Real *delta) {
    const Real scale = 1.0 / n_out;
    V total = V{};
    for (size_t o = 0; o < n_out; ++o)
      for (size_t s = 0; s < tile.width; s += lanes) {
        const size_t at = o * tile.width + s;
        V r = load(z + at) - load(tile.truth + at);
        r = select(counted(tile, s), r, V{});
        total += scale * r * r;
        if (order >= 1) store(delta + at, 2 * scale * r);
      }
    return total;
  }

  static void product(const Tile &tile, size_t n_out, const Real *,
                      const Real *r, Real *out) {
    for (size_t s = 0; s < tile.width; s += lanes) {
      const M real = counted(tile, s);
      for (size_t o = 0; o < n_out; ++o) {
        const size_t at = o * tile.width + s;
        store(out + at, select(real, Real(2.0 / n_out) * load(r + at), V{}));
      }
    }
  }

  static void curvature(const Tile &tile, size_t n_out, const Real *,
                        const Real *, Real *out) {
    for (size_t i = 0; i < n_out; ++i)
      for (size_t k = 0; k < n_out; ++k)
        for (size_t s = 0; s < tile.width; s += lanes)
          store(out + (i * n_out + k) * tile.width + s,
                select(counted(tile, s), splat(i == k ? 2.0 / n_out : 0.0), V{}));
  }
};

// log(1 + exp(z)) - y z for one output z, the logit of class 1 against class 0; z
// becomes the second derivative.
struct BinaryCrossEntropy {
  template <int order>
  static V evaluate(const Tile &tile, size_t, Real *z, Real *delta) {
    V total = V{};
    for (size_t s = 0; s < tile.width; s += lanes) {
      const M one = load(tile.truth + s) == splat(1.0), real = counted(tile, s);
      // log(1 + exp(-margin)), where the margin is the logit of the right class
      const V logit = load(z + s), margin = select(one, logit, -logit);
      const V loss = larger(-margin, V{}) +
                     log1p_nonnegative(exp_nonpositive(minus_absolute(margin)));
      total += select(real, loss, V{});
      if (order >= 1) {
        V wrong;
        const V right = logistic(margin, wrong);
        store(z + s, right * wrong);
        store(delta + s, select(real, select(one, -wrong, wrong), V{}));
      }
    }
    return total;
  }

  static void product(const Tile &tile, size_t, const Real *second,
                      const Real *r, Real *out) {
    for (size_t s = 0; s < tile.width; s += lanes)
      store(out + s, select(counted(tile, s), load(second + s) * load(r + s), V{}));
  }

  static void curvature(const Tile &tile, size_t, const Real *second,
                        const Real *, Real *out) {
    for (size_t s = 0; s < tile.width; s += lanes)
      store(out + s, select(counted(tile, s), load(second + s), V{}));
  }
};

// What follows hands a call to the trait of the problem's loss.

template <int order>
static V evaluate_loss(const Problem &problem, const Tile &tile, Real *z,
                       Real *delta) {
  switch (problem.model.loss) {
#define NNP_CASE(name, Trait, ...) \
  case Loss::name:                 \
    return Trait::evaluate<order>(tile, problem.n_out(), z, delta);
    NNP_LOSSES(NNP_CASE)
#undef NNP_CASE
  }
  __builtin_unreachable();
}

static void loss_product(const Problem &problem, const Tile &tile,
                         const Real *z, const Real *r, Real *out) {
  switch (problem.model.loss) {
#define NNP_CASE(name, Trait, ...) \
  case Loss::name:                 \
    return Trait::product(tile, problem.n_out(), z, r, out);
    NNP_LOSSES(NNP_CASE)
#undef NNP_CASE
  }
}

[[maybe_unused]] static void loss_curvature(const Problem &problem, const Tile &tile,
                           const Real *z, const Real *delta, Real *out) {
  switch (problem.model.loss) {
#define NNP_CASE(name, Trait, ...) \
  case Loss::name:                 \
    return Trait::curvature(tile, problem.n_out(), z, delta, out);
    NNP_LOSSES(NNP_CASE)
#undef NNP_CASE
  }
}
