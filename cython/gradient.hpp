// Loss and gradient. Included once per instruction set, in its namespace.

static double gradient(const Problem &problem, const double *x,
                       const Samples &samples, size_t first, size_t last,
                       double *g) {
  Work w(problem, g ? 1 : 0, samples.indices != nullptr);
  double loss = 0;
  Folder losses(1, &loss);
  if (!g) {
    for (size_t t = first; t < last; ++t) {
      const Tile tile = w.tile(problem, samples, t);
      add(losses.sums(), 0, forward<0>(problem, x, tile, w));
      if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last) losses.fold();
    }
    losses.finish();
    return loss;
  }
  Folder gradients(problem.n_parameters, g);
  const Sums sums = gradients.sums();
  for (size_t t = first; t < last; ++t) {
    const Tile tile = w.tile(problem, samples, t);
    add(losses.sums(), 0, forward<1>(problem, x, tile, w));
    backward(problem, x, tile, w, false);
    for (size_t l = 0; l < problem.layers.size(); ++l) {
      const Layer &layer = problem.layers[l];
      const double *delta = w.delta[l].data();
      outer(layer.n_out, layer.n_in, tile.width, {delta, w.into(tile, l)}, sums,
            layer.weights);
      if (problem.model.bias)
        row_sums(layer.n_out, tile.width, delta, sums, layer.biases);
    }
    if ((t + 1 - first) % fold_tiles == 0 || t + 1 == last) {
      losses.fold();
      gradients.fold();
    }
  }
  losses.finish();
  gradients.finish();
  return loss;
}
