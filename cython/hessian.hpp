// The Hessian. Included once per instruction set, in its namespace for doubles.

// Numbers rounded up to whole vectors of this engine.
NNP_INLINE size_t whole(size_t n) { return (n + lanes - 1) / lanes * lanes; }

template <int half>
NNP_INLINE void swap_halves(V *v) {
  M low, high;
  for (int j = 0; j < lanes; ++j) {
    low[j] = j & half ? lanes + j - half : j;
    high[j] = j & half ? lanes + j : j + half;
  }
  for (int i = 0; i < lanes; ++i) {
    if (i & half) continue;
    const V a = v[i], b = v[i + half];
    v[i] = NNP_SHUFFLE(a, b, low);
    v[i + half] = NNP_SHUFFLE(a, b, high);
  }
}

// From [unit][sample] to [sample][unit, padded with zeros to `stride`].
static void by_sample(size_t n, size_t width, const double *from, double *to,
                      size_t stride) {
  for (size_t i = 0; i < stride; i += lanes)
    for (size_t s = 0; s < width; s += lanes) {
      V v[lanes];
      for (size_t k = 0; k < lanes; ++k)
        v[k] = i + k < n ? load(from + (i + k) * width + s) : V{};
      if constexpr (lanes >= 8) swap_halves<4>(v);
      if constexpr (lanes >= 4) swap_halves<2>(v);
      swap_halves<1>(v);
      for (size_t k = 0; k < lanes; ++k) store(to + (s + k) * stride + i, v[k]);
    }
}

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
static void hessian_tile(const Problem &problem, const double *x, const Tile &tile,
                         bool gauss_newton, Work &w, std::vector<Buffer> &squares,
                         HessianSamples &out) {
  const size_t L = problem.layers.size(), T = tile_samples, t = out.counts.size();
  const size_t width = tile.width;
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  out.counts.push_back(tile.count);

  // sample by sample, with a one for the bias
  for (size_t l = 0; l < L; ++l) {
    const size_t n = problem.layers[l].n_in, stride = out.stride[l];
    double *rows = out.activations[l].data() + t * T * stride;
    by_sample(n, width, w.into(tile, l), rows, stride);
    for (size_t s = 0; s < width; ++s)
      rows[s * stride + n] = problem.model.bias ? 1 : 0;
    copy(units(l) * width, w.delta[l].data(), out.delta[l].data() + t * units(l) * T);
    if (l + 1 < L && !gauss_newton)
      by_sample(units(l), width, w.d1[l].data(),
                out.slopes[l].data() + t * T * whole(units(l)), whole(units(l)));
  }

  auto G = [&](size_t l, size_t m) {
    const size_t n = units(l), rows = l == m ? n * (n + 1) / 2 : n * units(m);
    return out.G[l][m].data() + t * rows * T;
  };
  // G_ll is kept for k >= i, and whole for the layer below
  loss_curvature(problem, tile, w.a[L - 1].data(), w.delta[L - 1].data(),
                 squares[L - 1].data());
  for (size_t i = 0, pair = 0, n = units(L - 1); i < n; pair += n - i, ++i)
    copy((n - i) * width, squares[L - 1].data() + (i * n + i) * width,
         G(L - 1, L - 1) + pair * width);
  for (size_t l = L - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l), n_above = above.n_out;
    const double *d1 = w.d1[l].data();
    for (size_t m = l + 1; m < L; ++m) {
      const double *from = m == l + 1 ? squares[m].data() : G(l + 1, m);
      for (size_t k = 0, n_m = units(m); k < n_m; ++k)
        multiply(n,
                 {n_above, x + above.weights, 1, n, from + k * width, n_m * width,
                  width, nullptr, false, G(l, m) + k * width, n_m * width},
                 [=](size_t i, size_t s, V g) { return g * load(d1 + i * width + s); });
    }
    const double *d2 = w.d2[l].data(), *back = w.back[l].data();
    for (size_t i = 0, pair = 0; i < n; pair += n - i, ++i) {
      double *square = l > 0 ? squares[l].data() : nullptr;
      multiply(n - i,
               {n_above, x + above.weights + i, 1, n, G(l, l + 1) + i * n_above * width,
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

  // d a_{l+1} / d u_l from the diagonal d a_l / d u_l, and so on upwards
  for (size_t l = 0; l + 2 < L; ++l) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    Buffer rows = Buffer::raw(n * above.n_out * width);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = 0; k < above.n_out; ++k) {
        const double weight = x[above.weights + k * n + i];
        for (size_t s = 0; s < width; s += lanes)
          store(rows.data() + (i * above.n_out + k) * width + s,
                weight * load(w.d1[l].data() + i * width + s) *
                    load(w.d1[l + 1].data() + k * width + s));
      }
    for (size_t m = l + 2; m < L; ++m) {
      // [i][q][sample] of the layer below m becomes [i][sample][q]
      const size_t n_q = problem.layers[m].n_in, stride = out.stride[m];
      for (size_t i = 0; i < n; ++i)
        by_sample(n_q, width, rows.data() + i * n_q * width,
                  out.J[l][m].data() + (t * n + i) * T * stride, stride);
      if (m + 1 == L) break;
      const Layer &layer = problem.layers[m];
      const double *d1 = w.d1[m].data();
      Buffer next = Buffer::raw(n * layer.n_out * width);
      for (size_t i = 0; i < n; ++i)
        multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
                 rows.data() + i * layer.n_in * width, width, nullptr, false,
                 next.data() + i * layer.n_out * width,
                 [=](size_t k, size_t s, V v) { return v * load(d1 + k * width + s); });
      rows = std::move(next);
    }
  }
}

static void make_room(const Problem &problem, bool gauss_newton, HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity * tile_samples;
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  out.counts.reserve(out.capacity);
  out.G.resize(L), out.J.resize(L);
  for (size_t l = 0; l < L; ++l) {
    const size_t stride = whole(problem.layers[l].n_in + 1);
    out.stride.push_back(stride);
    // with room for a vector that begins at the last number
    out.activations.push_back(Buffer::raw(S * stride + lanes));
    out.delta.push_back(Buffer::raw(units(l) * S));
    out.slopes.push_back(Buffer::raw(whole(units(l)) * S));
  }
  for (size_t l = 0; l < L; ++l)
    for (size_t m = 0; m < L; ++m) {
      const size_t n = units(l);
      out.G[l].push_back(Buffer::raw(m > l    ? n * units(m) * S
                                     : m == l ? n * (n + 1) / 2 * S
                                              : 0));
      out.J[l].push_back(
          Buffer::raw(m > l + 1 && !gauss_newton ? n * S * out.stride[m] : 0));
    }
}

static double hessian_samples(const Problem &problem, const double *x, size_t first,
                              size_t last, bool gauss_newton, double *gradient,
                              HessianSamples &out, const std::function<void()> &full) {
  if (out.activations.empty()) make_room(problem, gauss_newton, out);
  Work w(problem, 2, false);
  GradientSums sums(problem, gradient);
  std::vector<Buffer> squares;
  for (const Layer &layer : problem.layers)
    squares.push_back(Buffer::raw(layer.n_out * layer.n_out * tile_samples));
  for (size_t t = first; t < last; ++t) {
    if (out.counts.size() == out.capacity) full();
    const Tile tile = problem.tile<Real>(t);
    const V loss = forward<2>(problem, x, tile, w);
    backward(problem, x, tile, w, true);
    sums.take(tile, loss, w);
    hessian_tile(problem, x, tile, gauss_newton, w, squares, out);
  }
  return sums.finish();
}

// Columns of the samples of a tile, for each of `factors` a vector's `n` one after the
// other: to[s][(f,q)] = c[s][f] v[s][q], with c[s][f] = c[s c_sample + f c_factor], or
// with `d` and `u` also + d[s][f] u[s][q]. Writes whole vectors.
struct Outer {
  size_t count, factors, n;
  const double *c;
  size_t c_sample, c_factor;
  const double *v;
  size_t v_stride;
  double *to;
  size_t stride;
  const double *d = nullptr, *u = nullptr;
};

template <int vectors, bool two>
NNP_INLINE void outer_columns(const Outer o) {
  for (size_t s = 0; s < o.count; ++s) {
    V v[vectors], u[vectors];
    for (int i = 0; i < vectors; ++i) {
      const size_t at = s * o.v_stride + i * lanes;
      v[i] = load(o.v + at);
      if (two) u[i] = load(o.u + at);
    }
    double *to = o.to + s * o.stride;
    size_t at = s * o.c_sample;
    for (size_t f = 0; f < o.factors; ++f, at += o.c_factor, to += o.n) {
      const V c = splat(o.c[at]), d = two ? splat(o.d[at]) : V{};
      for (int i = 0; i < vectors; ++i)
        store(to + i * lanes, two ? c * v[i] + d * u[i] : c * v[i]);
    }
  }
}

template <bool two>
static void outer_columns(const Outer &o) {
  constexpr size_t most = 4 * lanes;
  if (o.n > most) {
    // a factor at a time, as the next one's first vector hides the last one's excess
    for (size_t f = 0; f < o.factors; ++f) {
      Outer one = o;
      one.factors = 1, one.c += f * o.c_factor, one.to += f * o.n;
      if (two) one.d += f * o.c_factor;
      for (size_t q = 0; q < o.n; q += most) {
        Outer part = one;
        part.n = std::min(most, o.n - q);
        part.v += q, part.to += q;
        if (two) part.u += q;
        outer_columns<two>(part);
      }
    }
    return;
  }
  switch ((o.n + lanes - 1) / lanes) {
    case 4:
      return outer_columns<4, two>(o);
    case 3:
      return outer_columns<3, two>(o);
    case 2:
      return outer_columns<2, two>(o);
    case 1:
      return outer_columns<1, two>(o);
  }
}

// Zeros in what fills the last vector of each row, which is written before the next
// row is, and summed with it.
NNP_INLINE void blank(size_t n, size_t count, double *rows, size_t stride) {
  for (size_t s = 0; s < count; ++s) store(rows + s * stride + n, V{});
}

static void hessian_part(const Problem &problem, const HessianSamples &samples,
                         const HessianPart &part, bool add, double *sums) {
  const size_t l = part.l, m = part.m, T = tile_samples;
  const Layer &above = problem.layers[m], &below = problem.layers[l];
  const size_t extra = problem.model.bias ? 1 : 0;
  const size_t n_j = below.n_in + extra, n_q = above.n_in + extra;
  const size_t n_l = below.n_out, n_m = above.n_out;
  const size_t stride = samples.stride[l], stride_m = samples.stride[m];
  const size_t rows_of_G = l == m ? n_l * (n_l + 1) / 2 : n_l * n_m;
  const HessianPart::Size &size = part.size;
  const size_t at_once = 1 + hessian_columns / n_q;  // units, of a part by units
  const size_t most = part.by_unit() ? padded<Real>(at_once * n_q) + lane_multiple<Real>
                                     : std::max(size.stride, size.more_stride);
  Buffer made = Buffer::raw(T * most);
  double *columns = made.data();

  for (size_t t = 0; t < samples.counts.size(); ++t, add = true) {
    const size_t count = samples.counts[t], width = padded<Real>(count);
    const double *a = samples.activations[l].data() + t * T * stride;
    const double *b = samples.activations[m].data() + t * T * stride_m;
    const double *G = samples.G[l][m].data() + t * rows_of_G * T;
    const double *delta = samples.delta[m].data() + t * n_m * T;
    // rows by columns, from as many columns as there are
    auto sum = [&](size_t rows, const double *matrix, size_t rs, size_t cs, size_t n,
                   double *to, size_t to_stride) {
      multiply_all_rows(rows,
                        {count, matrix, rs, cs, columns, most, whole(n), nullptr, add,
                         to, to_stride},
                        AsItIs());
    };

    if (part.by_unit()) {
      for (size_t i = part.first; i < part.last; ++i) {
        const double *J = samples.J[l][m].data() + (t * n_l + i) * T * stride_m;
        double *to = sums + (i - part.first) * n_j * size.stride;
        for (size_t k0 = 0; k0 < n_m; k0 += at_once) {
          const size_t some = std::min(at_once, n_m - k0);
          outer_columns<true>({count, some, n_q, G + (i * n_m + k0) * width, 1, width, b,
                               stride_m, columns, most, delta + k0 * width, J});
          blank(some * n_q, count, columns, most);
          sum(n_j, a, 1, stride, some * n_q, to + k0 * n_q, size.stride);
        }
      }
      continue;
    }

    const size_t n_here = part.last - part.first;
    size_t n = n_here * n_q;
    if (l == m) {
      n = 0;
      for (size_t j = part.first; j < part.last; n += n_q - j, ++j)
        outer_columns<false>({count, 1, n_q - j, a + j, stride, 1, b + j, stride_m,
                              columns + n, most});
    } else {
      outer_columns<false>(
          {count, n_here, n_q, a + part.first, stride, 1, b, stride_m, columns, most});
    }
    blank(n, count, columns, most);
    sum(size.rows, G, width, 1, n, sums, size.stride);
    if (size.more_rows == 0) continue;

    // J, where it is the diagonal d a_l / d u_l
    const size_t slopes = whole(n_l);
    const double *d1 = samples.slopes[l].data() + t * T * slopes;
    n = n_here * n_l;
    outer_columns<false>(
        {count, n_here, n_l, a + part.first, stride, 1, d1, slopes, columns, most});
    blank(n, count, columns, most);
    sum(n_m, delta, width, 1, n, sums + size.rows * size.stride, size.more_stride);
  }
}

static void hessian_place(const Problem &problem, const HessianPart &part, double scale,
                          const double *sums, double *hessian) {
  const size_t l = part.l, m = part.m, P = problem.n_parameters;
  const Layer &above = problem.layers[m], &below = problem.layers[l];
  const bool bias = problem.model.bias;
  const size_t n_j = below.n_in + bias, n_q = above.n_in + bias;
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
    for (size_t q = 0; q < n; ++q) weights[q] = scale * from[q];
    if (bias) to[above.biases + k] = scale * from[n];
  };

  if (part.by_unit()) {
    for (size_t i = part.first; i < part.last; ++i)
      for (size_t j = 0; j < n_j; ++j, sums += size.stride)
        for (size_t k = 0; k < above.n_out; ++k) put(i, j, k, 0, sums + k * n_q);
    return;
  }
  for (size_t i = 0; i < below.n_out; ++i)
    for (size_t k = l == m ? i : 0; k < above.n_out; ++k, sums += size.stride) {
      const double *from = sums;
      for (size_t j = part.first; j < part.last; ++j) {
        const size_t first = l == m ? j : 0;
        put(i, j, k, first, from);
        from += n_q - first;
      }
    }
  for (size_t k = 0; k < size.more_rows; ++k, sums += size.more_stride)
    for (size_t j = part.first; j < part.last; ++j)
      for (size_t i = 0; i < below.n_out; ++i)
        row(i, j)[above.weights + k * above.n_in + i] +=
            scale * sums[(j - part.first) * below.n_out + i];
}
