// Loss and gradient. Included once per instruction set and precision, in its namespace.

// The loss, and with `gradient` not null the gradient, of tiles taken one by one.
class GradientSums {
 public:
  GradientSums(const Problem &problem, double *gradient)
      : problem_(problem),
        losses_(1, &loss_),
        gradients_(gradient ? problem.n_parameters : 0, gradient) {}

  void take(const Tile &tile, V loss, const Work &w) {
    add(losses_.sums(), 0, loss);
    if (gradients_.size() > 0) take_gradient(tile, w);
    if (++tiles_ % fold_tiles == 0) fold();
  }
  // Gives the loss; the gradient is then where it was wanted.
  double finish() {
    if (tiles_ % fold_tiles != 0) fold();
    losses_.finish();
    gradients_.finish();
    return loss_;
  }

 private:
  void take_gradient(const Tile &tile, const Work &w) {
    const Sums sums = gradients_.sums();
    for (size_t l = 0; l < problem_.layers.size(); ++l) {
      const Layer &layer = problem_.layers[l];
      const Real *delta = w.delta(l);
      outer(layer.n_out, layer.n_in, tile.width, {delta, w.into(tile, l)}, sums,
            layer.weights);
      if (problem_.model.bias)
        row_sums(layer.n_out, tile.width, delta, sums, layer.biases);
    }
  }
  void fold() {
    losses_.fold();
    gradients_.fold();
  }

  const Problem &problem_;
  double loss_ = 0;
  Folder losses_, gradients_;
  size_t tiles_ = 0;
};

static double gradient(const Problem &problem, const double *parameters,
                       const Samples &samples, size_t first, size_t last,
                       double *g) {
  const Converted<Real> point(problem.n_parameters, parameters);
  const Real *x = point.data();
  Work w(problem, g ? 1 : 0, samples.indices != nullptr);
  GradientSums sums(problem, g);
  for (size_t t = first; t < last; ++t) {
    const Tile tile = w.tile(problem, samples, t);
    if (!g) {
      sums.take(tile, forward<0>(problem, x, tile, w), w);
      continue;
    }
    const V loss = forward<1>(problem, x, tile, w);
    backward(problem, x, tile, w, false);
    sums.take(tile, loss, w);
  }
  return sums.finish();
}
