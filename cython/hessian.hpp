// The Hessian. Included once per instruction set, in its namespace for doubles.

// Let u_l be an addition to the pre-activations z_l. With
//   G_lm = d2 loss / du_l du_m  and  J_ml = d a_m / d u_l,
// the block of layers l <= m is, per sample,
//   H[(i,j),(k,q)] = a_{l-1,j} (G_lm[i,k] a_{m-1,q} + delta_{m,k} J_{m-1,l}[q,i])
// (second term for l < m only), and both follow from
//   G_lm = D_l W_{l+1}^T G_{l+1,m},
//   G_ll = D_l W_{l+1}^T G_{l+1,l+1} W_{l+1} D_l + diag(s''_l W_{l+1}^T delta_{l+1}),
//   J_ml = D_m W_m J_{m-1,l}.
// Method: C. M. Bishop, Neural Comput. 4, 494 (1992). The Gauss-Newton part is
// what is left without s'' and without J.
//
// Summed over samples they are products of matrices, with columns made on the way:
//   m = l, l + 1, and all m without J   G_lm[i,k] times columns a_{l-1,j} a_{m-1,q}
//   J the diagonal d a_l / d u_l        delta_{m,k} times columns J_ll[i,i] a_{l-1,j}
//   m > l + 1                           a_{l-1,j} times columns G_lm[i,k] a_{m-1,q}
//                                       + delta_{m,k} J_{m-1,l}[q,i]
//
// Where G and delta sum to zero over the outputs, the last of these is left out: G is then
// that of a network whose outputs are relative to it, and so are `weights`, of the outputs.
static void hessian_tile(const Problem &problem, const double *x, const double *weights,
                         const Tile &tile, bool gauss_newton, Work &w, std::vector<Buffer> &squares,
                         HessianSamples &out) {
  const size_t L = problem.layers.size(), T = tile_samples, t = out.counts.size();
  const size_t width = tile.width;
  auto units = [&](size_t l) { return problem.curved(l); };
  out.counts.push_back(tile.count);

  // with ones for the bias
  for (size_t l = 0; l < L; ++l) {
    const size_t n = problem.layers[l].n_in;
    double *rows = out.activations[l].data() + t * (n + 1) * T;
    copy(n * width, w.into(tile, l), rows);
    fill(width, 1, rows + n * width);
    copy(units(l) * width, w.delta(l), out.delta[l].data() + t * units(l) * T);
    if (l + 1 < L && !gauss_newton)
      copy(units(l) * width, w.d1(l), out.slopes[l].data() + t * units(l) * T);
  }

  auto G = [&](size_t l, size_t m) {
    const size_t n = units(l), rows = l == m ? n * (n + 1) / 2 : n * units(m);
    return out.G[l][m].data() + t * rows * T;
  };
  // G_ll is kept for k >= i, and whole for the layer below
  loss_curvature(problem, tile, w.a(L - 1), w.delta(L - 1),
                 squares[L - 1].data());
  for (size_t i = 0, pair = 0, n = units(L - 1); i < n; pair += n - i, ++i) {
    double *row = squares[L - 1].data() + i * n * width;
    copy(n * width, squares[L - 1].data() + i * problem.n_out() * width, row);
    copy((n - i) * width, row + i * width, G(L - 1, L - 1) + pair * width);
  }
  for (size_t l = L - 1; l-- > 0;) {
    const double *W = l + 2 < L ? x + problem.layers[l + 1].weights : weights;
    const size_t n = units(l), n_above = units(l + 1);
    const double *d1 = w.d1(l);
    for (size_t m = l + 1; m < L; ++m) {
      const double *from = m == l + 1 ? squares[m].data() : G(l + 1, m);
      for (size_t k = 0, n_m = units(m); k < n_m; ++k)
        multiply(n,
                 {n_above, W, 1, n, from + k * width, n_m * width,
                  width, nullptr, false, G(l, m) + k * width, n_m * width},
                 [=](size_t i, size_t s, V g) { return g * load(d1 + i * width + s); });
    }
    const double *d2 = w.d2(l), *back = w.back(l);
    for (size_t i = 0, pair = 0; i < n; pair += n - i, ++i) {
      double *square = l > 0 ? squares[l].data() : nullptr;
      multiply(n - i,
               {n_above, W + i, 1, n, G(l, l + 1) + i * n_above * width,
                width, width, nullptr, false, G(l, l) + pair * width, width},
               [=](size_t row, size_t s, V g) {
                 const size_t k = i + row;
                 g *= load(d1 + k * width + s);
                 if (row == 0 && !gauss_newton)
                   g += load(d2 + i * width + s) * load(back + i * width + s);
                 if (square) {
                   store(square + (i * n + k) * width + s, g);
                   store(square + (k * n + i) * width + s, g);
                 }
                 return g;
               });
    }
  }
  if (gauss_newton) return;

  // d a_{l+1} / d u_l from the diagonal d a_l / d u_l, and so on upwards, with zeros for
  // the bias
  for (size_t l = 0; l + 2 < L; ++l)
    for (size_t m = l + 2; m < L; ++m) {
      const Layer &layer = problem.layers[m - 1];
      const size_t n = units(l), n_q = layer.n_out;
      const double *d1 = w.d1(m - 1);
      auto J = [&](size_t above, size_t i) {
        const size_t rows = problem.layers[above].n_in + 1;
        return out.J[l][above].data() + (t * n * T + i * width) * rows;
      };
      for (size_t i = 0; i < n; ++i) {
        double *to = J(m, i);
        fill(width, 0, to + n_q * width);
        if (m > l + 2) {
          multiply(n_q, layer.n_in, x + layer.weights, layer.n_in, 1, J(m - 1, i), width,
                   nullptr, false, to,
                   [=](size_t k, size_t s, V v) { return v * load(d1 + k * width + s); });
          continue;
        }
        for (size_t k = 0; k < n_q; ++k) {
          const double weight = x[layer.weights + k * n + i];
          for (size_t s = 0; s < width; s += lanes)
            store(to + k * width + s, weight * load(w.d1(l) + i * width + s) *
                                          load(d1 + k * width + s));
        }
      }
    }
}

static void make_room(const Problem &problem, bool gauss_newton, HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity * tile_samples;
  auto units = [&](size_t l) { return problem.curved(l); };
  out.counts.reserve(out.capacity);
  out.G.resize(L), out.J.resize(L);
  for (size_t l = 0; l < L; ++l) {
    out.activations.push_back(Buffer::raw((problem.layers[l].n_in + 1) * S));
    out.delta.push_back(Buffer::raw(units(l) * S));
    out.slopes.push_back(Buffer::raw(units(l) * S));
  }
  for (size_t l = 0; l < L; ++l)
    for (size_t m = 0; m < L; ++m) {
      const size_t n = units(l);
      out.G[l].push_back(Buffer::raw(m > l    ? n * units(m) * S
                                     : m == l ? n * (n + 1) / 2 * S
                                              : 0));
      out.J[l].push_back(Buffer::raw(
          m > l + 1 && !gauss_newton ? n * (problem.layers[m].n_in + 1) * S : 0));
    }
}

static double hessian_samples(const Problem &problem, const double *x, size_t first,
                              size_t last, bool gauss_newton, double *gradient,
                              HessianSamples &out, const std::function<void()> &full) {
  if (out.activations.empty()) make_room(problem, gauss_newton, out);
  Work w(problem, 2, false);
  GradientSums sums(problem, gradient);
  const Layer &outputs = problem.layers.back();
  const double *W = x + outputs.weights;
  Buffer weights = Buffer::raw(outputs.n_in * outputs.n_out);
  for (size_t k = 0, n = outputs.n_in; k < n * outputs.n_out; ++k)
    weights[k] = shifts(problem.model.loss) ? W[k] - W[n * (outputs.n_out - 1) + k % n] : W[k];
  std::vector<Buffer> squares;
  for (const Layer &layer : problem.layers)
    squares.push_back(Buffer::raw(layer.n_out * layer.n_out * tile_samples));
  for (size_t t = first; t < last; ++t) {
    if (out.counts.size() == out.capacity) full();
    const Tile tile = problem.tile<Real>(t);
    const V loss = forward<2>(problem, x, tile, w);
    backward(problem, x, tile, w, true);
    sums.take(tile, loss, w);
    hessian_tile(problem, x, weights.data(), tile, gauss_newton, w, squares, out);
  }
  return sums.finish();
}

// Columns c[f] v[q] over the samples of a tile in the order of (f, q), for q < n, or of a triangle
// for f <= q < n. They are made where they are first used, and kept.
struct Products {
  static constexpr bool made_in_use = true;
  size_t width, n;
  const double *c, *v;
  bool triangle = false;
  size_t f = 0, q = 0;
  const double *of_c[lanes], *of_v[lanes];
  double *kept;

  void next(size_t count, double *to) {
    kept = to;
    for (size_t i = 0; i < count; ++i) {
      of_c[i] = c + f * width, of_v[i] = v + q * width;
      if (++q == n) ++f, q = triangle ? f : 0;
    }
  }
  NNP_MEMBER V operator()(size_t i, size_t s) const {
    const V value = load(of_c[i] + s) * load(of_v[i] + s);
    store(kept + i * width + s, value);
    return value;
  }
};

// Columns c[i][k] v[q] + d[k] u[i][q] in the order of (i, k, q), for k < n_k and q < n of the
// n_u rows of an i in u. Those of one (i, k) share what they load of c and d, which is more
// than all rows of a narrow layer would have of making them in use.
struct SumsOfProducts {
  static constexpr bool made_in_use = false;
  size_t width, n, n_k, n_u;
  const double *c, *v, *d, *u;
  size_t k = 0, q = 0;

  void next(size_t count, double *to) {
    for (size_t some; count > 0; count -= some, to += some * width) {
      some = std::min(count, n - q);
      make(some, to);
      if ((q += some) < n) continue;
      q = 0, c += width;
      if (++k == n_k) k = 0, u += n_u * width;
    }
  }

 private:
  template <int some = lanes>
  NNP_MEMBER void make(size_t count, double *to) const {
    if constexpr (some > 1)
      if (count < some) return make<some - 1>(count, to);
    const double *v_q = v + q * width, *u_q = u + q * width, *d_k = d + k * width;
    for (size_t s = 0; s < width; s += lanes) {
      const V of_v = load(c + s), of_u = load(d_k + s);
      each<some>([&](auto i) NNP_LAMBDA {
        const size_t at = i * width + s;
        store(to + at, of_v * load(v_q + at) + of_u * load(u_q + at));
      });
    }
  }
};

// sums[r][k] += sum_s D[r][s] column_k[s], a vector of columns at a time, which the nearest cache
// holds for all rows.
template <class Columns>
static void outer(size_t rows, size_t K, const double *D, Columns columns, const Sums &sums,
                  size_t stride) {
  const size_t width = columns.width;
  alignas(64) double made[lanes * tile_samples];
  for (size_t k = 0, n; k < K; k += n) {
    n = std::min<size_t>(lanes, K - k);
    columns.next(n, made);
    size_t r = 0;
    if constexpr (Columns::made_in_use) {
      if (n == lanes)
        r = outer_reduced_rows(rows, width, {D, nullptr}, columns, stride, sums.fresh,
                               sums.data + k);
      else
        for (size_t i = 0; i < n; ++i)
          for (size_t s = 0; s < width; s += lanes) columns(i, s);
    }
    outer(rows - r, n, width, {D + r * width, made}, sums, r * stride + k, stride);
  }
}

static void hessian_part(const Problem &problem, const HessianSamples &samples,
                         const HessianPart &part, bool add, double *sums) {
  const size_t l = part.l, m = part.m, T = tile_samples;
  const Layer &above = problem.layers[m], &below = problem.layers[l];
  const size_t extra = problem.model.bias ? 1 : 0;
  const size_t n_j = below.n_in + extra, n_q = above.n_in + extra;
  const size_t n_l = problem.curved(l), n_m = problem.curved(m);
  const size_t rows_of_G = l == m ? n_l * (n_l + 1) / 2 : n_l * n_m;
  const HessianPart::Size &size = part.size;

  for (size_t t = 0; t < samples.counts.size(); ++t) {
    const size_t width = padded<Real>(samples.counts[t]);
    const bool fresh = !add && t == 0;
    const double *a = samples.activations[l].data() + t * T * (below.n_in + 1);
    const double *b = samples.activations[m].data() + t * T * (above.n_in + 1);
    const double *G = samples.G[l][m].data() + t * rows_of_G * T;
    const double *delta = samples.delta[m].data() + t * n_m * T;
    const Sums here = {sums, false, fresh};

    if (part.by_unit()) {
      const size_t i = part.first, n_u = above.n_in + 1;
      const double *J = samples.J[l][m].data() + (t * n_l * T + i * width) * n_u;
      outer(n_j, (part.last - i) * n_m * n_q, a,
            SumsOfProducts{width, n_q, n_m, n_u, G + i * n_m * width, b, delta, J}, here,
            size.stride);
      continue;
    }

    const size_t n_here = part.last - part.first;
    const double *first = a + part.first * width;
    if (l == m) {
      size_t n = 0;
      for (size_t j = part.first; j < part.last; ++j) n += n_q - j;
      outer(size.rows, n, G, Products{width, n_q, a, b, true, part.first, part.first}, here,
            size.stride);
    } else {
      outer(size.rows, n_here * n_q, G, Products{width, n_q, first, b}, here, size.stride);
    }
    if (size.more_rows == 0) continue;

    // J, where it is the diagonal d a_l / d u_l
    const double *d1 = samples.slopes[l].data() + t * T * n_l;
    outer(n_m, n_here * n_l, delta, Products{width, n_l, first, d1},
          {sums + size.rows * size.stride, false, fresh}, size.more_stride);
  }
}

// to -= from, of whole vectors
NNP_INLINE void subtract(size_t n, const double *from, double *to) {
  for (size_t i = 0; i < n; i += lanes) store(to + i, load(to + i) - load(from + i));
}

// to = scale * from, in vectors as wide as what is left.
template <int width = lanes>
NNP_INLINE void put_scaled(size_t n, double scale, const double *from, double *to) {
  typedef double Part __attribute__((vector_size(width * sizeof(double)), aligned(sizeof(double))));
  auto step = [&]() NNP_LAMBDA {
    *(Part *)to = scale * *(const Part *)from;
    from += width, to += width, n -= width;
  };
  if constexpr (width == lanes) {
    while (n >= width) step();
  } else if (n >= width) {
    step();
  }
  if constexpr (width > 1) put_scaled<width / 2>(n, scale, from, to);
}

// Where the last output is left out, what belongs to it sums to zero with the others'.
static void hessian_place(const Problem &problem, const HessianPart &part, double scale,
                          const double *sums, double *hessian) {
  const size_t l = part.l, m = part.m, P = problem.n_parameters;
  const Layer &above = problem.layers[m], &below = problem.layers[l];
  const bool bias = problem.model.bias;
  const size_t n_j = below.n_in + bias, n_q = above.n_in + bias;
  const size_t n_l = problem.curved(l), n_m = problem.curved(m);
  const bool left_out = n_m < above.n_out;
  const HessianPart::Size &size = part.size;
  auto row = [&](size_t i, size_t j) {
    return hessian +
           P * (j < below.n_in ? below.weights + i * below.n_in + j : below.biases + i);
  };
  // the elements [(i,j),(k,q)] for first <= q < n_q
  auto put = [&](size_t i, size_t j, size_t k, size_t first, const double *from) {
    double *to = row(i, j), *weights = to + above.weights + k * above.n_in + first;
    // not where the weights of k stand before the bias of i
    const size_t n = l == m && j == below.n_in ? 0 : above.n_in - first;
    put_scaled(n, scale, from, weights);
    if (bias) to[above.biases + k] = scale * from[n];
  };
  Buffer last(left_out ? (n_l + 1) * std::max(size.stride, size.more_stride) : 0);

  if (part.by_unit()) {
    for (size_t i = part.first; i < part.last; ++i, sums += n_m * n_q)
      for (size_t j = 0; j < n_j; ++j) {
        const double *from = sums + j * size.stride;
        for (size_t k = 0; k < n_m; ++k) put(i, j, k, 0, from + k * n_q);
        if (!left_out) continue;
        for (size_t q = 0; q < n_q; ++q) {
          last[q] = 0;
          for (size_t k = 0; k < n_m; ++k) last[q] -= from[k * n_q + q];
        }
        put(i, j, n_m, 0, last.data());
      }
    return;
  }

  auto put_inputs = [&](size_t i, size_t k, const double *from) {
    for (size_t j = part.first; j < part.last; ++j) {
      const size_t first = l == m ? j : 0;
      put(i, j, k, first, from);
      from += n_q - first;
    }
  };
  auto of_last = [&](size_t i) { return last.data() + i * size.stride; };
  for (size_t i = 0; i < n_l; ++i)
    for (size_t k = l == m ? i : 0; k < n_m; ++k, sums += size.stride) {
      put_inputs(i, k, sums);
      if (!left_out) continue;
      subtract(size.stride, sums, of_last(i));
      if (l == m && k > i) subtract(size.stride, sums, of_last(k));
    }
  for (size_t i = 0; left_out && i < n_l; ++i) {
    put_inputs(i, n_m, of_last(i));
    if (l == m) subtract(size.stride, of_last(i), of_last(n_l));
  }
  if (left_out && l == m) put_inputs(n_m, n_m, of_last(n_l));

  if (size.more_rows == 0) return;
  auto add_more = [&](size_t k, const double *from) {
    for (size_t j = part.first; j < part.last; ++j)
      for (size_t i = 0; i < n_l; ++i)
        row(i, j)[above.weights + k * above.n_in + i] += scale * from[(j - part.first) * n_l + i];
  };
  if (left_out) fill(size.more_stride, 0, last.data());
  for (size_t k = 0; k < size.more_rows; ++k, sums += size.more_stride) {
    add_more(k, sums);
    if (left_out) subtract(size.more_stride, sums, last.data());
  }
  if (left_out) add_more(n_m, last.data());
}

// One vector of two: of `a` the lanes whose number is without `half`, then those of `b`
// that stand there; with `high` of both those with it.
template <int half, bool high>
NNP_INLINE V interleaved(V a, V b) {
  M from;
  for (int j = 0; j < lanes; ++j) from[j] = (high ? j | half : j & ~half) + (j & half ? lanes : 0);
  return NNP_SHUFFLE(a, b, from);
}

// The rows of a square of numbers become its columns.
template <int half = lanes / 2>
NNP_INLINE void transpose(V *v) {
  if constexpr (half > 0) {
    each<lanes / 2>([&](auto i) NNP_LAMBDA {
      constexpr int r = i / half * 2 * half + i % half;
      const V a = v[r], b = v[r + half];
      v[r] = interleaved<half, false>(a, b), v[r + half] = interleaved<half, true>(a, b);
    });
    transpose<half / 2>(v);
  }
}

// The lower triangle of a symmetric matrix from its upper one, in squares that stay in cache;
// the last of a row overlap with those before. Gives zero if all of it is finite, else what is
// not a number.
static double hessian_mirror(size_t P, double *hessian) {
  constexpr size_t n = lanes, large = 32;
  V zeros = V{};
  double zero = 0;
  auto square = [&](size_t r, size_t k) {
    V v[n], turned[n];
    each<n>([&](auto i) NNP_LAMBDA { v[i] = turned[i] = load(hessian + (r + i) * P + k); });
    transpose(turned);
    each<n>([&](auto i) NNP_LAMBDA {
      if (k == r) v[i] = turned[i] = select(lane_numbers() < double(i), turned[i], v[i]);
      zeros += v[i] * 0.0;
      store(hessian + (k + i) * P + r, turned[i]);
    });
  };
  if (P < n) {
    for (size_t r = 0; r < P; ++r)
      for (size_t k = r; k < P; ++k) {
        hessian[k * P + r] = hessian[r * P + k];
        zero += hessian[r * P + k] * 0;
      }
    return zero;
  }
  for (size_t r0 = 0; r0 < P; r0 += large)
    for (size_t k0 = r0; k0 < P; k0 += large)
      for (size_t r = r0; r < std::min(r0 + large, P); r += n)
        for (size_t k = std::max(k0, r); k < std::min(k0 + large, P); k += n)
          square(std::min(r, P - n), std::min(k, P - n));
  return sum(zeros);
}
