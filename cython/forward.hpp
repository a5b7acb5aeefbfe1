// What all derivatives share: a tile of samples through the network, and dL/dz
// back through it. Included once per instruction set and precision, in its namespace.

// Scratch of one tile: rows for the units of each layer, of as many kinds as are wanted.
class Rows {
 public:
  Rows(const Problem &problem, size_t kinds)
      : problem_(problem), room_(Buffer::raw(kinds * units() * tile_samples)) {}
  Real *rows(size_t kind, size_t l) const {
    return room_.data() + (kind * units() + problem_.layers[l].units) * tile_samples;
  }

 private:
  size_t units() const { return problem_.layers.back().units + problem_.n_out(); }

  const Problem &problem_;
  mutable Buffer room_;
};

// Activations, their derivatives, dL/dz, W^T dL/dz. The last row of activations holds what
// the loss leaves there.
struct Work : Rows {
  Buffer gathered_inputs, gathered_truth;

  Work(const Problem &problem, int order, bool gather) : Rows(problem, 1 + 2 * order) {
    if (gather) {
      gathered_inputs = Buffer(problem.n_in() * tile_samples);
      gathered_truth = Buffer(problem.truth_rows() * tile_samples);
    }
  }
  Real *a(size_t l) const { return rows(0, l); }
  // of order 1
  Real *d1(size_t l) const { return rows(1, l); }
  Real *delta(size_t l) const { return rows(2, l); }
  // of order 2
  Real *d2(size_t l) const { return rows(3, l); }
  Real *back(size_t l) const { return rows(4, l); }

  // Tile t of the samples: a view of the data, or a copy of those listed.
  Tile tile(const Problem &problem, const Samples &samples, size_t t) {
    if (!samples.indices) return problem.tile<Real>(t);
    const size_t first = t * tile_samples;
    const size_t left = samples.count - first;
    const size_t count = left < tile_samples ? left : tile_samples;
    const size_t width = padded<Real>(count);
    for (size_t s = 0; s < width; ++s) {
      // padding repeats the last sample; it counts nowhere
      const size_t n = samples.indices[first + (s < count ? s : count - 1)];
      const Tile from = problem.tile<Real>(n / tile_samples);
      const size_t lane = n % tile_samples;
      for (size_t i = 0; i < problem.n_in(); ++i)
        gathered_inputs[i * width + s] = from.inputs[i * from.width + lane];
      for (size_t o = 0; o < problem.truth_rows(); ++o)
        gathered_truth[o * width + s] = from.truth[o * from.width + lane];
    }
    return {count, width, gathered_inputs.data(), gathered_truth.data()};
  }

  const Real *into(const Tile &tile, size_t layer) const {
    return layer == 0 ? tile.inputs : a(layer - 1);
  }
};

// The forward pass; returns the loss of the tile, lane by lane.
template <int order>
static V forward(const Problem &problem, const Real *x, const Tile &tile,
                 Work &w) {
  const size_t last = problem.layers.size() - 1;
  for (size_t l = 0; l <= last; ++l) {
    const Layer &layer = problem.layers[l];
    multiply(layer.n_out, layer.n_in, x + layer.weights, layer.n_in, 1,
             w.into(tile, l), tile.width,
             problem.model.bias ? x + layer.biases : nullptr, false,
             w.a(l));
    if (l < last)
      activate<order>(problem.model.activation, layer.n_out * tile.width,
                      w.a(l), order >= 1 ? w.d1(l) : nullptr, order >= 2 ? w.d2(l) : nullptr);
  }
  return evaluate_loss<order>(problem, tile, w.a(last), order >= 1 ? w.delta(last) : nullptr);
}

// dL/dz of the hidden layers from that of the output layer.
static void backward(const Problem &problem, const Real *x, const Tile &tile,
                     Work &w, bool keep) {
  for (size_t l = problem.layers.size() - 1; l-- > 0;) {
    const Layer &above = problem.layers[l + 1];
    const size_t width = tile.width;
    const Real *d1 = w.d1(l);
    Real *kept = keep ? w.back(l) : nullptr;
    multiply(above.n_in, above.n_out, x + above.weights, 1, above.n_in,
             w.delta(l + 1), width, nullptr, false, w.delta(l),
             [=](size_t k, size_t s, V back) {
               if (kept) store(kept + k * width + s, back);
               return back * load(d1 + k * width + s);
             });
  }
}
