// Products of the Hessian with vectors. Included once per instruction set and precision, in its
// namespace.

// Products by the R-operator: B. A. Pearlmutter, Neural Comput. 6, 147 (1994).
static void product(const Problem &problem, const double *parameters,
                    const double *vectors, size_t n_vectors, size_t first,
                    size_t last, double *products) {
  const size_t L = problem.layers.size(), P = problem.n_parameters;
  const Converted<Real> point(P, parameters), factors(n_vectors * P, vectors);
  const Real *x = point.data();
  const Samples all{nullptr, problem.n_samples};
  Work w(problem, 2, false);
  const Rows along(problem, 3);
  auto Rz = [&](size_t l) { return along.rows(0, l); };
  auto Ra = [&](size_t l) { return along.rows(1, l); };
  auto Rdelta = [&](size_t l) { return along.rows(2, l); };
  std::vector<Folder> folders;
  folders.reserve(n_vectors);
  for (size_t i = 0; i < n_vectors; ++i) folders.emplace_back(P, products + i * P);

  for (size_t t = first; t < last; ++t) {
    const Tile tile = w.tile(problem, all, t);
    const size_t width = tile.width;
    forward<2>(problem, x, tile, w);
    backward(problem, x, tile, w, true);
    for (size_t l = 0; l + 1 < L; ++l)  // what all vectors share
      for (size_t k = 0; k < problem.layers[l].n_out * width; k += lanes) {
        Real *d2 = w.d2(l) + k;
        store(d2, load(d2) * load(w.back(l) + k));
      }
    for (size_t i = 0; i < n_vectors; ++i) {
      const Real *v = factors.data() + i * P;
      for (size_t l = 0; l < L; ++l) {
        const Layer &layer = problem.layers[l];
        const Factors f = {
            layer.n_in, v + layer.weights, layer.n_in, 1, w.into(tile, l), width,
            width, problem.model.bias ? v + layer.biases : nullptr, false,
            Rz(l), width, l > 0 ? x + layer.weights : nullptr,
            l > 0 ? Ra(l - 1) : nullptr};
        if (l + 1 == L) {
          multiply(layer.n_out, f);
          break;
        }
        const Real *d1 = w.d1(l);
        Real *to = Ra(l);
        multiply(layer.n_out, f, [=](size_t k, size_t s, V value) {
          store(to + k * width + s, load(d1 + k * width + s) * value);
          return value;
        });
      }
      loss_product(problem, tile, w.a(L - 1), Rz(L - 1),
                   Rdelta(L - 1));
      const Sums sums = folders[i].sums();
      for (size_t l = L; l-- > 0;) {
        const Layer &layer = problem.layers[l];
        const Real *delta = w.delta(l), *R = Rdelta(l);
        if (problem.model.bias)
          row_sums(layer.n_out, width, R, sums, layer.biases);
        if (l == 0) {
          outer(layer.n_out, layer.n_in, width, {R, tile.inputs}, sums, layer.weights);
          break;
        }
        outer(layer.n_out, layer.n_in, width,
              {R, w.into(tile, l), delta, Ra(l - 1)}, sums, layer.weights);
        const Real *d1 = w.d1(l - 1), *d2 = w.d2(l - 1);
        const Real *z = Rz(l - 1);
        multiply(layer.n_in,
                 {layer.n_out, v + layer.weights, 1, layer.n_in, delta, width, width,
                  nullptr, false, Rdelta(l - 1), width, x + layer.weights, R},
                 [=](size_t k, size_t s, V back) {
                   const size_t at = k * width + s;
                   return load(d1 + at) * back + load(d2 + at) * load(z + at);
                 });
      }
    }
    if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last)
      for (Folder &folder : folders) folder.fold();
  }
  for (Folder &folder : folders) folder.finish();
}
