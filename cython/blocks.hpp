// Products of small matrices over the samples of a tile, and sums over samples.
// Included once per instruction set and precision, after simd.hpp, in its namespace.

constexpr size_t fold_tiles = 1024 / tile_samples;  // summed plainly, then compensated
constexpr size_t lane_budget = 256;  // parameters whose sums stay in lanes

NNP_INLINE void copy(size_t n, const Real *from, Real *to) {
  for (size_t i = 0; i < n; i += lanes) store(to + i, load(from + i));
}

NNP_INLINE void fill(size_t n, Real value, Real *to) {
  for (size_t i = 0; i < n; ++i) to[i] = value;
}

// Register blocks: rows by vectors, within the registers of the instruction set.
constexpr int block_rows = NNP_BYTES == 16 ? 4 : 6;
constexpr int block_vectors = NNP_BYTES == 64 ? 4 : 2;
constexpr size_t panel_numbers = (1 << 14) / sizeof(Real);

// Y = M A, or Y += M A, or Y = bias + M A, for M[r][k] = matrix[r rs + k cs] and
// A, Y with rows of `lda` and `ldy` numbers of which `width`, whole vectors, count.
// With `matrix2` the product of that and `A2`, of the same sizes, is added.
struct Factors {
  size_t K;
  const Real *matrix;
  size_t rs, cs;
  const Real *A;
  size_t lda, width;
  const Real *bias;
  bool add;
  Real *Y;
  size_t ldy;
  const Real *matrix2 = nullptr, *A2 = nullptr;
  size_t column = 0;  // of the whole product, where A and Y begin
};

// What becomes of a product while it is still in registers: `(row, column, value)`
// gives the vector to be stored.
struct AsItIs {
  NNP_MEMBER V operator()(size_t, size_t, V value) const { return value; }
};

template <int R, int NV, class After>
NNP_INLINE void multiply_block(const Factors f, size_t row, size_t s, const After after) {
  V acc[R][NV];
  Real *Y = f.Y + row * f.ldy + s;
  auto each_vector = [&](const auto &visit) NNP_LAMBDA {
    each<R>([&](auto r) NNP_LAMBDA { each<NV>([&](auto v) NNP_LAMBDA { visit(r, v); }); });
  };
  if (f.add)
    each_vector([&](auto r, auto v) NNP_LAMBDA { acc[r][v] = load(Y + r * f.ldy + v * lanes); });
  else if (f.bias)
    each_vector([&](auto r, auto v) NNP_LAMBDA { acc[r][v] = splat(f.bias[row + r]); });
  else
    each_vector([&](auto r, auto v) NNP_LAMBDA { acc[r][v] = V{}; });
  auto add_product = [&](const Real *matrix, const Real *A) NNP_LAMBDA {
    for (size_t k = 0; k < f.K; ++k) {
      V a[NV];
      each<NV>([&](auto v) NNP_LAMBDA { a[v] = load(A + k * f.lda + v * lanes); });
      each<R>([&](auto r) NNP_LAMBDA {
        const V w = splat(matrix[r * f.rs + k * f.cs]);
        each<NV>([&](auto v) NNP_LAMBDA { acc[r][v] += w * a[v]; });
      });
    }
  };
  add_product(f.matrix + row * f.rs, f.A + s);
  if (f.matrix2) add_product(f.matrix2 + row * f.rs, f.A2 + s);
  each_vector([&](auto r, auto v) NNP_LAMBDA {
    store(Y + r * f.ldy + v * lanes, after(row + r, f.column + s + v * lanes, acc[r][v]));
  });
}

// With a copy of the factors, which nothing stored can change.
template <int R, class After>
static void multiply_rows(const Factors f, size_t row, const After after) {
  size_t s = 0;
  for (constexpr size_t n = block_vectors * lanes; s + n <= f.width; s += n)
    multiply_block<R, block_vectors>(f, row, s, after);
  if (block_vectors > 2 && s + 2 * lanes <= f.width) {
    multiply_block<R, 2>(f, row, s, after);
    s += 2 * lanes;
  }
  for (; s < f.width; s += lanes) multiply_block<R, 1>(f, row, s, after);
}

// How many of the rows left to take at once, so that few blocks are small: 5 + 5
// rather than 6 + 4, 4 + 4 rather than 6 + 2.
NNP_INLINE size_t rows_at_once(size_t left) {
  if (block_rows == 4) return left < 4 ? left : 4;
  if (left == 7 || left == 8) return 4;
  return left % 6 == 0 ? 6 : left < 5 ? left : 5;
}

template <class After>
static void multiply_all_rows(size_t rows, const Factors &f, const After &after) {
  for (size_t r = 0, n; r < rows; r += n) {
    n = rows_at_once(rows - r);
    switch (n) {
      case 6:
        if (block_rows >= 6) multiply_rows<block_rows>(f, r, after);
        break;
      case 5:
        if (block_rows >= 6) multiply_rows<block_rows - 1>(f, r, after);
        break;
      case 4:
        multiply_rows<4>(f, r, after);
        break;
      case 3:
        multiply_rows<3>(f, r, after);
        break;
      case 2:
        multiply_rows<2>(f, r, after);
        break;
      default:
        multiply_rows<1>(f, r, after);
    }
  }
}

// Where A is large all rows are done for a few columns at a time. These are copied
// side by side if they are used often: a row of A apart, they would push each other
// out of the cache.
template <class After = AsItIs>
static void multiply(size_t rows, const Factors &f, const After &after = {}) {
  constexpr size_t wide = block_vectors * lanes, deep = panel_numbers / wide;
  if (f.K <= 32 || rows <= block_rows || f.K * f.lda <= panel_numbers)
    return multiply_all_rows(rows, f, after);
  if (rows <= 2 * block_rows) {
    Factors part = f;
    for (size_t s = 0; s < f.width; s += wide) {
      part.width = f.width - s < wide ? f.width - s : wide;
      part.A = f.A + s, part.Y = f.Y + s, part.column = f.column + s;
      if (f.matrix2) part.A2 = f.A2 + s;
      multiply_all_rows(rows, part, after);
    }
    return;
  }
  alignas(64) Real panel[deep * wide];
  Factors part = f;
  part.matrix2 = nullptr;
  for (size_t s = 0; s < f.width; s += wide) {
    const size_t width = f.width - s < wide ? f.width - s : wide;
    part.A = panel, part.lda = part.width = width, part.Y = f.Y + s;
    part.column = f.column + s;
    for (size_t k = 0; k < f.K; k += deep) {
      part.K = f.K - k < deep ? f.K - k : deep;
      for (size_t i = 0; i < part.K; ++i) {
        const Real *from = f.A + (k + i) * f.lda + s;
        __builtin_prefetch(from + wide);  // of the next panel
        copy(width, from, panel + i * width);
      }
      part.matrix = f.matrix + k * f.cs;
      part.bias = k ? nullptr : f.bias;
      part.add = f.add || k;
      if (k + part.K == f.K && !f.matrix2)
        multiply_all_rows(rows, part, after);
      else
        multiply_all_rows(rows, part, AsItIs());
    }
  }
  if (!f.matrix2) return;
  part = f;
  part.matrix = f.matrix2, part.A = f.A2, part.matrix2 = nullptr, part.add = true;
  multiply(rows, part, after);
}

template <class After = AsItIs>
static void multiply(size_t rows, size_t K, const Real *matrix, size_t rs,
                     size_t cs, const Real *A, size_t width, const Real *bias,
                     bool add, Real *Y, const After &after = {}) {
  multiply(rows, {K, matrix, rs, cs, A, width, width, bias, add, Y, width}, after);
}

// Sums over samples of one parameter each: kept in whole vectors while there
// are few parameters, as plain numbers where there are many. What is in `fresh` ones is
// to be replaced: each is added to once a tile.
struct Sums {
  Real *data;
  bool in_lanes, fresh;

  NNP_MEMBER V in_lane(size_t at) const { return fresh ? V{} : load(data + at * lanes); }
};

NNP_INLINE void add(const Sums &sums, size_t at, V value) {
  if (sums.in_lanes)
    store(sums.data + at * lanes, sums.in_lane(at) + value);
  else
    sums.data[at] = (sums.fresh ? 0 : sums.data[at]) + sum(value);
}

// The factors of a sum over samples D[r][s] A[k][s], and of one to be added or null.
struct Sides {
  const Real *D, *A, *D2 = nullptr, *A2 = nullptr;
  NNP_MEMBER Sides from(size_t r, size_t k, size_t width) const {
    return {D + r * width, A + k * width, D2 ? D2 + r * width : nullptr,
            D2 ? A2 + k * width : nullptr};
  }
};

// Columns as they stand in memory.
struct Stored {
  const Real *A;
  size_t width;
  NNP_MEMBER V operator()(size_t k, size_t s) const { return load_once(A + k * width + s); }
};

// One vector of two: each lane plus that `half` lanes away, of `a` in the lanes whose
// number is without `half`, else of `b`.
template <int half>
NNP_INLINE V halves_of(V a, V b) {
  M here, there;
  for (int j = 0; j < lanes; ++j) {
    here[j] = j & half ? lanes + j : j;
    there[j] = j & half ? lanes + j - half : j + half;
  }
  return NNP_SHUFFLE(a, b, here) + NNP_SHUFFLE(a, b, there);
}

// The sums of `lanes / first` vectors as one: lane j has that of vector j / first, over the
// lanes whose numbers have the same remainder by `first` as j.
template <int first, int step = first>
NNP_INLINE V sums_of(const V *v) {
  if constexpr (step == lanes)
    return v[0];
  else
    return halves_of<step>(sums_of<first, 2 * step>(v),
                           sums_of<first, 2 * step>(v + step / first));
}

// sums[r K + k] += sum_s D[r][s] A[k][s]
template <int R, int C>
NNP_INLINE void outer_block(size_t width, const Sides &sides, size_t K,
                            const Sums &sums, size_t at) {
  constexpr int groups = (R * C + lanes - 1) / lanes;
  V acc[groups * lanes];
  each<groups * lanes>([&](auto i) NNP_LAMBDA { acc[i] = V{}; });
  auto add_samples = [&](const Real *D, const Real *A) NNP_LAMBDA {
    for (size_t s = 0; s < width; s += lanes) {
      V a[C];
      each<C>([&](auto c) NNP_LAMBDA { a[c] = load(A + c * width + s); });
      each<R>([&](auto r) NNP_LAMBDA {
        const V d = load_once(D + r * width + s);
        each<C>([&](auto c) NNP_LAMBDA { acc[r * C + c] += d * a[c]; });
      });
    }
  };
  add_samples(sides.D, sides.A);
  if (sides.D2) add_samples(sides.D2, sides.A2);
  if (sums.in_lanes) {
    each<R * C>([&](auto i) NNP_LAMBDA { add(sums, at + i / C * K + i % C, acc[i]); });
    return;
  }
  Real total[groups * lanes];
  each<groups>([&](auto g) NNP_LAMBDA {
    store(total + g * lanes, sums_of<1>(acc + g * lanes));
  });
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) {
      Real &to = sums.data[at + r * K + c];
      to = (sums.fresh ? 0 : to) + total[r * C + c];
    }
}

// The same where there are too many parameters to keep a vector of each, for a whole vector
// of columns: as many of them at once as registers hold, every second one in single precision.
// `column(k, s)` gives the samples of a column, in place of A.
template <int R, class Column>
NNP_INLINE void outer_reduced(size_t width, const Sides &sides, const Column &column, size_t K,
                              bool fresh, Real *sums) {
  constexpr int C = NNP_BYTES / 8, groups = lanes / C;
  V part[R][groups];
  each<groups>([&](auto g) NNP_LAMBDA {
    V acc[R][C];
    each<R * C>([&](auto i) NNP_LAMBDA { acc[i / C][i % C] = V{}; });
    auto add_samples = [&](const Real *D, const auto &column) NNP_LAMBDA {
      for (size_t s = 0; s < width; s += lanes) {
        V d[R];
        each<R>([&](auto r) NNP_LAMBDA { d[r] = load(D + r * width + s); });
        each<C>([&](auto c) NNP_LAMBDA {
          const V a = column(c * groups + g, s);
          each<R>([&](auto r) NNP_LAMBDA { acc[r][c] += d[r] * a; });
        });
      }
    };
    add_samples(sides.D, column);
    if (sides.D2) add_samples(sides.D2, Stored{sides.A2, width});
    each<R>([&](auto r) NNP_LAMBDA { part[r][g] = sums_of<groups>(acc[r]); });
  });
  each<R>([&](auto r) NNP_LAMBDA {
    V total = part[r][0];
    if constexpr (groups == 2) total = halves_of<1>(total, part[r][1]);
    store(sums + r * K, fresh ? total : load(sums + r * K) + total);
  });
}

// So many of the rows left at once; gives their number.
template <class Column>
NNP_INLINE size_t outer_reduced_rows(size_t left, size_t width, const Sides &sides,
                                     const Column &column, size_t K, bool fresh, Real *sums) {
  constexpr size_t most = NNP_BYTES == 16 ? 2 : 3;  // that fit the registers
  const size_t n = left < most ? left : left == 4 ? 2 : most;
  if (n == 3)
    outer_reduced<most>(width, sides, column, K, fresh, sums);
  else if (n == 2)
    outer_reduced<2>(width, sides, column, K, fresh, sums);
  else
    outer_reduced<1>(width, sides, column, K, fresh, sums);
  return n;
}

// Rows of `outer` from the first of few columns on, `K` numbers apart.
template <int R>
static void outer_rows(size_t width, const Sides sides, size_t columns, size_t K,
                       const Sums &sums, size_t at) {
  constexpr int C = NNP_BYTES == 64 ? 5 : 3;
  size_t k = 0;
  for (; k + C <= columns && (C == 5 || columns - k != 4); k += C)
    outer_block<R, C>(width, sides.from(0, k, width), K, sums, at + k);
  const Sides left = sides.from(0, k, width);
  switch (columns - k) {
    case 4:
      if (C == 5) return outer_block<R, 4>(width, left, K, sums, at + k);
      outer_block<R, 2>(width, left, K, sums, at + k);
      return outer_block<R, 2>(width, sides.from(0, k + 2, width), K, sums, at + k + 2);
    case 3:
      return outer_block<R, 3>(width, left, K, sums, at + k);
    case 2:
      return outer_block<R, 2>(width, left, K, sums, at + k);
    case 1:
      return outer_block<R, 1>(width, left, K, sums, at + k);
  }
}

// So that few blocks are small: 3 + 3 + 4 rather than 4 + 4 + 2.
NNP_INLINE size_t outer_rows_at_once(size_t left) {
  if (NNP_BYTES == 64) return left < 5 ? left : 5;
  return left < 5 ? left : left % 4 == 0 || left % 4 == 3 ? 4 : 3;
}

static void outer(size_t rows, size_t K, size_t width, const Sides &sides,
                  const Sums &sums, size_t at, size_t stride) {
  size_t k = 0;
  // columns outside: those of a step stay in cache for all rows
  for (; !sums.in_lanes && k + lanes <= K; k += lanes)
    for (size_t r = 0; r < rows;) {
      const Sides here = sides.from(r, k, width);
      r += outer_reduced_rows(rows - r, width, here, Stored{here.A, width}, stride, sums.fresh,
                              sums.data + at + r * stride + k);
    }
  const size_t columns = K - k;
  if (columns == 0) return;
  for (size_t r = 0, n; r < rows; r += n) {
    n = outer_rows_at_once(rows - r);
    const Sides here = sides.from(r, k, width);
    const size_t to = at + r * stride + k;
    switch (n) {
      case 5:
        if (NNP_BYTES == 64) outer_rows<NNP_BYTES == 64 ? 5 : 4>(width, here, columns, stride, sums, to);
        break;
      case 4:
        outer_rows<4>(width, here, columns, stride, sums, to);
        break;
      case 3:
        outer_rows<3>(width, here, columns, stride, sums, to);
        break;
      case 2:
        outer_rows<2>(width, here, columns, stride, sums, to);
        break;
      default:
        outer_rows<1>(width, here, columns, stride, sums, to);
    }
  }
}

static void outer(size_t rows, size_t K, size_t width, const Sides &sides,
                  const Sums &sums, size_t at) {
  outer(rows, K, width, sides, sums, at, K);
}

static void row_sums(size_t rows, size_t width, const Real *D,
                     const Sums &sums, size_t at) {
  for (size_t r = 0; r < rows; ++r) {
    V acc = V{};
    for (size_t s = 0; s < width; s += lanes) acc += load(D + r * width + s);
    add(sums, at + r, acc);
  }
}

// total += part, with the rounding errors carried along (Knuth).
NNP_INLINE void add_part(size_t n, const double *part, double *total, Buffer &error) {
  for (size_t i = 0; i < n; ++i) {
    const double t = total[i] + part[i], added = t - total[i];
    error[i] += (total[i] - (t - added)) + (part[i] - added);
    total[i] = t;
  }
}
// Of numbers in single precision a sum in double precision loses nothing that counts.
NNP_INLINE void add_part(size_t n, const float *part, double *total, Buffer &) {
  for (size_t i = 0; i < n; ++i) total[i] += part[i];
}

// Sums over many tiles: plain within a fold of them, without further loss between folds.
class Folder {
 public:
  Folder(size_t n, double *total)
      : n_(n),
        in_lanes_(n <= lane_budget),
        size_(in_lanes_ ? whole() * lanes : n),
        part_(Buffer::raw(size_)),
        plain_(Buffer::raw(in_lanes_ ? whole() : 0)),
        total_(total) {}
  size_t size() const { return n_; }
  Sums sums() {
    return {part_.data(), in_lanes_, std::exchange(fresh_, false)};
  }
  void fold() {
    if (in_lanes_)
      for (size_t i = 0; i < n_; i += lanes) {
        V v[lanes];
        each<lanes>([&](auto j) NNP_LAMBDA { v[j] = load(part_.data() + (i + j) * lanes); });
        store(plain_.data() + i, sums_of<1>(v));
      }
    const Real *part = in_lanes_ ? plain_.data() : part_.data();
    if (folds_++ == 0) {
      for (size_t i = 0; i < n_; ++i) total_[i] = part[i];
    } else {
      if (folds_ == 2 && sizeof(Real) == sizeof(double)) error_ = Buffer(n_);
      add_part(n_, part, total_, error_);
    }
    fresh_ = true;
  }
  void finish() {
    if (error_.data())
      for (size_t i = 0; i < n_; ++i) total_[i] += error_[i];
  }

 private:
  size_t whole() const { return (n_ + lanes - 1) / lanes * lanes; }

  size_t n_;
  bool in_lanes_;
  size_t size_;
  Buffer part_, plain_, error_;
  double *total_;
  size_t folds_ = 0;
  bool fresh_ = true;  // what is in `part_` has gone into the total, if anywhere
};
