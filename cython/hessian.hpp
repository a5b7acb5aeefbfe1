// The Hessian. Included once per instruction set, in its namespace.

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
static void hessian_tile(const Problem &problem, const double *x,
                         const Tile &tile, bool gauss_newton, Work &w,
                         std::vector<std::vector<Buffer>> &local,
                         HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity, at = out.count;
  const size_t width = tile.width;
  forward<2>(problem, x, tile, w);
  backward(problem, x, tile, w, true);
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  out.count += tile.count;

  // sample by sample, with a one for the bias
  for (size_t l = 0; l < L; ++l) {
    const size_t n = problem.layers[l].n_in, stride = out.stride[l];
    double *rows = out.activations[l].data() + at * stride;
    const double *a = w.into(tile, l);
    for (size_t s = 0; s < tile.count; ++s) {
      for (size_t j = 0; j < n; ++j) rows[s * stride + j] = a[j * width + s];
      rows[s * stride + n] = problem.model.bias ? 1 : 0;
    }
    for (size_t k = 0; k < units(l); ++k) {
      copy(width, w.delta[l].data() + k * width, out.delta[l].data() + k * S + at);
      if (l + 1 < L && !gauss_newton)
        copy(width, w.d1[l].data() + k * width, out.d1[l].data() + k * S + at);
    }
  }

  loss_curvature(problem, tile, w.a[L - 1].data(), w.delta[L - 1].data(),
                 local[L - 1][L - 1].data());

  for (size_t l = L - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    for (size_t m = l + 1; m < L; ++m) {
      // W^T times the matrices, whose columns and samples lie side by side
      const size_t n_m = units(m);
      double *G = local[l][m].data();
      multiply(n, above.n_out, x + above.weights, 1, n, local[l + 1][m].data(),
               n_m * width, nullptr, false, G);
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n_m; ++k)
          for (size_t s = 0; s < width; s += NNP_LANES) {
            double *g = G + (i * n_m + k) * width + s;
            store(g, load(g) * load(w.d1[l].data() + i * width + s));
          }
    }
    double *G = local[l][l].data();
    for (size_t i = 0; i < n; ++i) {
      double *row = G + i * n * width;
      multiply(n, above.n_out, x + above.weights, 1, n,
               local[l][l + 1].data() + i * above.n_out * width, width, nullptr,
               false, row);
      for (size_t k = 0; k < n; ++k)
        for (size_t s = 0; s < width; s += NNP_LANES) {
          double *g = row + k * width + s;
          V value = load(g) * load(w.d1[l].data() + k * width + s);
          if (i == k && !gauss_newton)
            value += load(w.d2[l].data() + i * width + s) *
                     load(w.back[l].data() + i * width + s);
          store(g, value);
        }
    }
  }
  for (size_t l = 0; l < L; ++l)
    for (size_t m = l; m < L; ++m)
      for (size_t k = 0; k < units(l) * units(m); ++k)
        copy(width, local[l][m].data() + k * width,
             out.G[l][m].data() + k * S + at);
  if (gauss_newton) return;

  // d a_{l+1} / d u_l from the diagonal d a_l / d u_l, and so on upwards
  for (size_t l = 0; l + 2 < L; ++l) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    Buffer rows = Buffer::raw(n * above.n_out * width);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = 0; k < above.n_out; ++k) {
        const double weight = x[above.weights + k * n + i];
        for (size_t s = 0; s < width; s += NNP_LANES)
          store(rows.data() + (i * above.n_out + k) * width + s,
                weight * load(w.d1[l].data() + i * width + s) *
                    load(w.d1[l + 1].data() + k * width + s));
      }
    for (size_t m = l + 2; m < L; ++m) {
      // [i][q][sample] of the layer below m becomes [i][sample][q]
      const size_t n_q = problem.layers[m].n_in, stride = out.stride[m];
      double *to = out.J[l][m].data();
      for (size_t i = 0; i < n; ++i)
        for (size_t s = 0; s < tile.count; ++s)
          for (size_t q = 0; q < n_q; ++q)
            to[(i * S + at + s) * stride + q] = rows[(i * n_q + q) * width + s];
      if (m + 1 == L) break;
      const Layer &layer = problem.layers[m];
      Buffer next = Buffer::raw(n * layer.n_out * width);
      for (size_t i = 0; i < n; ++i) {
        double *to = next.data() + i * layer.n_out * width;
        multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
                 rows.data() + i * layer.n_in * width, width, nullptr, false,
                 to);
        for (size_t k = 0; k < layer.n_out * width; k += NNP_LANES)
          store(to + k, load(to + k) * load(w.d1[m].data() + k));
      }
      rows = std::move(next);
    }
  }
}

static void hessian_samples(const Problem &problem, const double *x,
                            size_t first, size_t last, bool gauss_newton,
                            HessianSamples &out) {
  const size_t L = problem.layers.size(), S = out.capacity;
  auto units = [&](size_t l) { return problem.layers[l].n_out; };
  if (out.activations.empty()) {
    out.mixed = !gauss_newton;
    out.G.resize(L), out.J.resize(L);
    for (size_t l = 0; l < L; ++l) {
      const size_t stride = padded(problem.layers[l].n_in + 1);
      out.stride.push_back(stride);
      out.activations.emplace_back(S * stride);
      out.delta.push_back(Buffer::raw(units(l) * S));
      out.d1.push_back(Buffer::raw(units(l) * S));
    }
    for (size_t l = 0; l < L; ++l)
      for (size_t m = 0; m < L; ++m) {
        out.G[l].push_back(Buffer::raw(m >= l ? units(l) * units(m) * S : 0));
        out.J[l].emplace_back(
            m > l + 1 && !gauss_newton ? units(l) * S * out.stride[m] : 0);
      }
  }
  Work w(problem, 2, false);
  std::vector<std::vector<Buffer>> G(L);
  for (size_t l = 0; l < L; ++l)
    for (size_t m = 0; m < L; ++m)
      G[l].push_back(
          Buffer::raw(m >= l ? units(l) * units(m) * tile_samples : 0));
  out.count = 0;
  for (size_t t = first; t < last; ++t)
    hessian_tile(problem, x, problem.tile(t), gauss_newton, w, G, out);
}

// B[j][q] = sum_s a_j(s) (g(s) a'_q(s) + d(s) J_q(s)) for R rows j and NV
// vectors of columns q.
template <int R, int NV, bool mixed>
NNP_INLINE void hessian_block(size_t count, const double *a, size_t a_stride,
                              const double *b, const double *J, size_t b_stride,
                              const double *g, const double *d, double *B) {
  V acc[R][NV] = {};
  for (size_t s = 0; s < count; ++s) {
    V t[NV];
    for (int v = 0; v < NV; ++v) {
      t[v] = splat(g[s]) * load(b + s * b_stride + v * NNP_LANES);
      if (mixed) t[v] += splat(d[s]) * load(J + s * b_stride + v * NNP_LANES);
    }
    for (int r = 0; r < R; ++r) {
      const V w = splat(a[s * a_stride + r]);
      for (int v = 0; v < NV; ++v) acc[r][v] += w * t[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v)
      store(B + r * b_stride + v * NNP_LANES, acc[r][v]);
}

// With `symmetric`, of the square matrix B only the upper triangle, in blocks.
template <bool mixed>
static void hessian_pair(size_t count, size_t all_rows, const double *a,
                         size_t a_stride, size_t n_columns, const double *b,
                         const double *J, size_t b_stride, const double *g,
                         const double *d, bool symmetric, double *B) {
  constexpr int NV = 2;
  constexpr int R = NNP_LANES == 8 ? 11 : 5;
  for (size_t q = 0; q < n_columns;) {
    const bool wide = q + NNP_LANES < n_columns;
    const size_t end = q + (wide ? 2 : 1) * NNP_LANES;
    const size_t n_rows = symmetric && end < all_rows ? end : all_rows;
    size_t j = 0;
    while (j < n_rows) {
      const size_t left = n_rows - j;
      const double *from = a + j;
      double *to = B + j * b_stride + q;
#define NNP_BLOCK(rows)                                                      \
  {                                                                          \
    if (wide)                                                                \
      hessian_block<rows, NV, mixed>(count, from, a_stride, b + q, J + q,    \
                                     b_stride, g, d, to);                    \
    else                                                                     \
      hessian_block<rows, 1, mixed>(count, from, a_stride, b + q, J + q,     \
                                    b_stride, g, d, to);                     \
    j += rows;                                                               \
  }
      if (left >= R)
        NNP_BLOCK(R)
      else if (left >= 6 && R > 6)
        NNP_BLOCK(6)
      else if (left >= 4)
        NNP_BLOCK(4)
      else if (left >= 2)
        NNP_BLOCK(2)
      else
        NNP_BLOCK(1)
#undef NNP_BLOCK
    }
    q += wide ? 2 * NNP_LANES : NNP_LANES;
  }
}

// C[k][j] = sum_s a_j(s) t_k(s) for K columns k and all rows j.
template <int K>
static void columns_block(size_t count, size_t stride, const double *a,
                          const double *t, size_t t_stride, double *C) {
  for (size_t j = 0; j < stride; j += NNP_LANES) {
    V acc[K] = {};
    for (size_t s = 0; s < count; ++s) {
      const V row = load(a + s * stride + j);
      for (int k = 0; k < K; ++k) acc[k] += t[k * t_stride + s] * row;
    }
    for (int k = 0; k < K; ++k) store(C + k * stride + j, acc[k]);
  }
}

// The terms with J where it is the diagonal d a_l / d u_l, for unit i of layer
// l and every unit k above it: they fall in column i alone.
static void diagonal_columns(const HessianSamples &tile, size_t l, size_t i,
                             size_t n_above, double *C) {
  const size_t S = tile.capacity, stride = tile.stride[l];
  const double *a = tile.activations[l].data();
  Buffer t = Buffer::raw(n_above * S);
  const size_t width = padded(tile.count);
  for (size_t k = 0; k < n_above; ++k)
    for (size_t s = 0; s < width; s += NNP_LANES)
      store(t.data() + k * S + s, load(tile.delta[l + 1].data() + k * S + s) *
                                      load(tile.d1[l].data() + i * S + s));
  size_t k = 0;
  for (; k + 4 <= n_above; k += 4)
    columns_block<4>(tile.count, stride, a, t.data() + k * S, S, C + k * stride);
  for (; k < n_above; ++k)
    columns_block<1>(tile.count, stride, a, t.data() + k * S, S, C + k * stride);
}

static void hessian_rows(const Problem &problem, const HessianSamples &tile,
                         size_t l, size_t i, double *hessian) {
  const size_t L = problem.layers.size(), P = problem.n_parameters;
  const size_t width = tile.capacity, extra = problem.model.bias ? 1 : 0;
  const Layer &rows = problem.layers[l];
  const size_t n_rows = rows.n_in + extra;
  size_t widest = 0;
  for (size_t m = l; m < L; ++m)
    widest = tile.stride[m] > widest ? tile.stride[m] : widest;
  Buffer block = Buffer::raw(n_rows * widest + NNP_LANES), diagonal;
  for (size_t m = l; m < L; ++m) {
    const Layer &columns = problem.layers[m];
    const size_t n_columns = columns.n_in + extra, stride = tile.stride[m];
    const bool next = m == l + 1 && tile.mixed;
    if (next) {
      diagonal = Buffer::raw(columns.n_out * tile.stride[l]);
      diagonal_columns(tile, l, i, columns.n_out, diagonal.data());
    }
    for (size_t k = l == m ? i : 0; k < columns.n_out; ++k) {
      const double *g =
          tile.G[l][m].data() + (i * columns.n_out + k) * width;
      const double *d = tile.delta[m].data() + k * width;
      const double *a = tile.activations[l].data();
      const double *b = tile.activations[m].data();
      if (l + 1 < m && tile.mixed)
        hessian_pair<true>(tile.count, n_rows, a, tile.stride[l], n_columns, b,
                           tile.J[l][m].data() + i * width * stride, stride, g,
                           d, false, block.data());
      else
        hessian_pair<false>(tile.count, n_rows, a, tile.stride[l], n_columns, b,
                            b, stride, g, d, l == m, block.data());
      if (l == m)
        for (size_t j = 1; j < n_rows; ++j)
          for (size_t q = 0; q < j; ++q)
            block[j * stride + q] = block[q * stride + j];
      if (next)
        for (size_t j = 0; j < n_rows; ++j)
          block[j * stride + i] += diagonal[k * tile.stride[l] + j];
      const size_t column = columns.weights + k * columns.n_in;
      for (size_t j = 0; j < rows.n_in; ++j) {
        const double *from = block.data() + j * stride;
        double *to = hessian + (rows.weights + i * rows.n_in + j) * P;
        for (size_t q = 0; q < columns.n_in; ++q) to[column + q] += from[q];
        if (extra) to[columns.biases + k] += from[columns.n_in];
      }
      if (!extra) continue;
      const double *from = block.data() + rows.n_in * stride;
      const size_t r = rows.biases + i;
      hessian[r * P + columns.biases + k] += from[columns.n_in];
      // the weights of a later layer lie right of this bias, those of its own
      // layer left of it: there the upper triangle is the transposed element
      if (l < m) {
        for (size_t q = 0; q < columns.n_in; ++q)
          hessian[r * P + column + q] += from[q];
      } else if (k != i) {
        for (size_t q = 0; q < columns.n_in; ++q)
          hessian[(column + q) * P + r] += from[q];
      }
    }
  }
}
