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
//
// Summed over samples they are products of matrices, with columns made on the way:
//   m = l, l + 1, and all m without J   G_lm[i,k] times columns a_{l-1,j} a_{m-1,q}
//   J the diagonal d a_l / d u_l        delta_{m,k} times columns J_ll[i,i] a_{l-1,j}
//   m > l + 1                           a_{l-1,j} times columns G_lm[i,k] a_{m-1,q}
//                                       + delta_{m,k} J_{m-1,l}[q,i]
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
    by_sample(n, width, w.into(tile, l), rows, stride);
    for (size_t s = 0; s < tile.count; ++s)
      rows[s * stride + n] = problem.model.bias ? 1 : 0;
    for (size_t k = 0; k < units(l); ++k)
      copy(width, w.delta[l].data() + k * width, out.delta[l].data() + k * S + at);
    if (l + 1 < L && !gauss_newton)
      by_sample(units(l), width, w.d1[l].data(),
                out.slopes[l].data() + at * whole(units(l)), whole(units(l)));
  }

  loss_curvature(problem, tile, w.a[L - 1].data(), w.delta[L - 1].data(),
                 local[L - 1][L - 1].data());

  // G of the tile, and where the run of samples keeps it
  auto kept = [&](size_t l, size_t m, size_t pair) {
    return out.G[l][m].data() + pair * S + at;
  };
  for (size_t i = 0, pair = 0; i < units(L - 1); ++i)
    for (size_t k = i; k < units(L - 1); ++k, ++pair)
      copy(width, local[L - 1][L - 1].data() + (i * units(L - 1) + k) * width,
           kept(L - 1, L - 1, pair));
  for (size_t l = L - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    const size_t n = units(l);
    const double *d1 = w.d1[l].data();
    for (size_t m = l + 1; m < L; ++m) {
      // W^T times the matrices, whose columns and samples lie side by side
      const size_t n_m = units(m);
      double *G = local[l][m].data();
      multiply(n, above.n_out, x + above.weights, 1, n, local[l + 1][m].data(),
               n_m * width, nullptr, false, G);
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n_m; ++k) {
          double *g = G + (i * n_m + k) * width, *to = kept(l, m, i * n_m + k);
          for (size_t s = 0; s < width; s += NNP_LANES) {
            const V value = load(g + s) * load(d1 + i * width + s);
            store(g + s, value), store(to + s, value);
          }
        }
    }
    double *G = local[l][l].data();
    for (size_t i = 0, pair = 0; i < n; ++i) {
      double *row = G + i * n * width;
      multiply(n - i, above.n_out, x + above.weights + i, 1, n,
               local[l][l + 1].data() + i * above.n_out * width, width, nullptr,
               false, row + i * width);
      for (size_t k = i; k < n; ++k, ++pair) {
        double *g = row + k * width, *to = kept(l, l, pair);
        double *mirrored = G + (k * n + i) * width;
        for (size_t s = 0; s < width; s += NNP_LANES) {
          V value = load(g + s) * load(d1 + k * width + s);
          if (i == k && !gauss_newton)
            value += load(w.d2[l].data() + i * width + s) *
                     load(w.back[l].data() + i * width + s);
          store(to + s, value);
          if (l > 0) store(g + s, value), store(mirrored + s, value);
        }
      }
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
        for (size_t s = 0; s < width; s += NNP_LANES)
          store(rows.data() + (i * above.n_out + k) * width + s,
                weight * load(w.d1[l].data() + i * width + s) *
                    load(w.d1[l + 1].data() + k * width + s));
      }
    for (size_t m = l + 2; m < L; ++m) {
      // [i][q][sample] of the layer below m becomes [i][sample][q]
      const size_t n_q = problem.layers[m].n_in, stride = out.stride[m];
      for (size_t i = 0; i < n; ++i)
        by_sample(n_q, width, rows.data() + i * n_q * width,
                  out.J[l][m].data() + (i * S + at) * stride, stride);
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
      const size_t stride = whole(problem.layers[l].n_in + 1);
      out.stride.push_back(stride);
      // with room for a vector that begins at the last number
      out.activations.push_back(Buffer::raw(S * stride + NNP_LANES));
      out.delta.push_back(Buffer::raw(units(l) * S));
      out.slopes.push_back(Buffer::raw(whole(units(l)) * S));
    }
    for (size_t l = 0; l < L; ++l)
      for (size_t m = 0; m < L; ++m) {
        out.G[l].push_back(Buffer::raw(m >= l ? units(l) * units(m) * S : 0));
        out.J[l].push_back(Buffer::raw(
            m > l + 1 && !gauss_newton ? units(l) * S * out.stride[m] : 0));
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

// Columns made for a run of samples, and the sums over samples they are for.
class Columns {
 public:
  static constexpr size_t run = tile_samples;

  Columns(size_t rows, size_t n)
      : stride(whole(n) + NNP_LANES),
        columns_(Buffer::raw(run * stride)),
        sums_(Buffer::raw(rows * stride)) {}

  // sums[r][c] = sum_s matrix[r rs + s cs] column_c(s), where `make(s, to)` writes
  // the columns of sample s, in order: it may write a vector too far.
  template <class Make>
  const double *multiply_by(size_t rows, size_t n, size_t count,
                            const double *matrix, size_t rs, size_t cs, Make make) {
    for (size_t first = 0; first < count; first += run) {
      const size_t some = count - first < run ? count - first : run;
      for (size_t s = 0; s < some; ++s) {
        double *to = columns_.data() + s * stride;
        store(to + n, V{});  // what fills the last vector
        make(first + s, to);
      }
      multiply(rows, {some, matrix + first * cs, rs, cs, columns_.data(), stride,
                      whole(n), nullptr, first > 0, sums_.data(), stride});
    }
    return sums_.data();
  }

  const size_t stride;

 private:
  Buffer columns_, sums_;
};

// to[q] = c v[q]; writes whole vectors
NNP_INLINE void scaled(size_t n, double c, const double *v, double *to) {
  for (size_t q = 0; q < n; q += NNP_LANES) store(to + q, splat(c) * load(v + q));
}

// Adds the sums over samples for one part to the upper triangle. Of a layer's
// blocks with itself, [(i,j),(k,q)] with i < k, only j <= q: they are symmetric.
static void hessian_part(const Problem &problem, const HessianSamples &tile,
                         const HessianPart &part, double *hessian) {
  const size_t l = part.l, m = part.m, S = tile.capacity, P = problem.n_parameters;
  const Layer &above = problem.layers[m], &below = problem.layers[l];
  const size_t extra = problem.model.bias ? 1 : 0;
  const size_t n_j = below.n_in + extra, n_q = above.n_in + extra;
  const size_t stride = tile.stride[l], stride_m = tile.stride[m];
  const double *a = tile.activations[l].data(), *b = tile.activations[m].data();
  auto row = [&](size_t i, size_t j) {
    return j < below.n_in ? below.weights + i * below.n_in + j : below.biases + i;
  };
  // the elements [(i,j),(k,q)] for first <= q < n_q
  auto add_to = [&](size_t i, size_t j, size_t k, size_t first, const double *from) {
    const size_t r = row(i, j), column = above.weights + k * above.n_in;
    if (l == m && j == below.n_in) {
      hessian[r * P + above.biases + k] += from[0];
      return;
    }
    for (size_t q = first; q < above.n_in; ++q)
      hessian[r * P + column + q] += from[q - first];
    if (extra) hessian[r * P + above.biases + k] += from[above.n_in - first];
  };

  if (part.mixed) {
    const double *delta = tile.delta[m].data();
    const size_t at_once = 1 + 96 / n_q;
    Columns columns(n_j, at_once * n_q);
    for (size_t i = part.first; i < part.last; ++i) {
      const double *J = tile.J[l][m].data() + i * S * stride_m;
      const double *G = tile.G[l][m].data() + i * above.n_out * S;
      for (size_t k0 = 0; k0 < above.n_out; k0 += at_once) {
        const size_t n = above.n_out - k0 < at_once ? above.n_out - k0 : at_once;
        const double *sums = columns.multiply_by(
            n_j, n * n_q, tile.count, a, 1, stride, [&](size_t s, double *to) {
              for (size_t k = k0; k < k0 + n; ++k, to += n_q) {
                const V g = splat(G[k * S + s]), d = splat(delta[k * S + s]);
                for (size_t q = 0; q < n_q; q += NNP_LANES)
                  store(to + q, g * load(b + s * stride_m + q) +
                                    d * load(J + s * stride_m + q));
              }
            });
        for (size_t j = 0; j < n_j; ++j)
          for (size_t k = 0; k < n; ++k)
            add_to(i, j, k0 + k, 0, sums + j * columns.stride + k * n_q);
      }
    }
    return;
  }

  const size_t first = part.first, last = part.last;
  auto start = [&](size_t j) { return l == m ? j : 0; };
  size_t n = 0;
  for (size_t j = first; j < last; ++j) n += n_q - start(j);
  const size_t n_l = below.n_out, n_m = above.n_out;
  const size_t pairs = l == m ? n_l * (n_l + 1) / 2 : n_l * n_m;
  Columns columns(pairs, n);
  const double *sums = columns.multiply_by(
      pairs, n, tile.count, tile.G[l][m].data(), S, 1, [&](size_t s, double *to) {
        for (size_t j = first; j < last; ++j) {
          const size_t q = start(j);
          scaled(n_q - q, a[s * stride + j], b + s * stride_m + q, to);
          to += n_q - q;
        }
      });
  for (size_t i = 0; i < n_l; ++i)
    for (size_t k = l == m ? i : 0; k < n_m; ++k, sums += columns.stride) {
      const double *from = sums;
      for (size_t j = first; j < last; from += n_q - start(j), ++j)
        add_to(i, j, k, start(j), from);
    }
  if (m != l + 1 || !tile.mixed) return;

  // J, where it is the diagonal d a_l / d u_l
  const size_t slopes = whole(n_l), n_here = last - first;
  Columns diagonal(n_m, n_l * n_here);
  const double *more = diagonal.multiply_by(
      n_m, n_l * n_here, tile.count, tile.delta[m].data(), S, 1,
      [&](size_t s, double *to) {
        for (size_t j = first; j < last; ++j, to += n_l)
          scaled(n_l, a[s * stride + j], tile.slopes[l].data() + s * slopes, to);
      });
  for (size_t k = 0; k < n_m; ++k)
    for (size_t j = first; j < last; ++j)
      for (size_t i = 0; i < n_l; ++i)
        hessian[row(i, j) * P + above.weights + k * above.n_in + i] +=
            more[k * diagonal.stride + (j - first) * n_l + i];
}
