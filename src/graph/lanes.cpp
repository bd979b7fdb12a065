// Loops over lanes for which libtorch has no operator of one pass.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#ifdef __SSE2__
#include <immintrin.h>
#endif

// The widest registers of the machine, whatever the compiler's default is. (`arch=` with the name of a processor would
// mean that processor alone.)
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define EVERY_WIDTH __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define EVERY_WIDTH
#endif

namespace {

// One row of the tangent of layer norm: with x^ = (x - mean) / sigma,
// out = scale * (dx - mean(dx) - x^ * mean(x^ * dx)) / sigma.
template <typename T>
inline __attribute__((always_inline)) void row(T* out, const T* dx, const T* x, T mean, T inverse, const T* scale, int64_t n) {
  T sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
  for (int64_t i = 0; i < n; ++i) {
    sum += dx[i];
    along += dx[i] * ((x[i] - mean) * inverse);
  }
  sum /= static_cast<T>(n);
  along /= static_cast<T>(n);
  if (scale) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      out[i] = (dx[i] - sum - (x[i] - mean) * inverse * along) * (inverse * scale[i]);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      out[i] = (dx[i] - sum - (x[i] - mean) * inverse * along) * inverse;
    }
  }
}

EVERY_WIDTH void row_of(float* out, const float* dx, const float* x, float mean, float inverse, const float* scale, int64_t n) {
  row(out, dx, x, mean, inverse, scale, n);
}

EVERY_WIDTH void row_of(double* out, const double* dx, const double* x, double mean, double inverse, const double* scale, int64_t n) {
  row(out, dx, x, mean, inverse, scale, n);
}

template <typename T>
void rows_of(T* out, const T* dx, const T* x, const T* mean, const T* inverse, const T* scale, int64_t tangents, int64_t rows, int64_t n) {
  // All tangents of a row while its values are near.
#pragma omp parallel for if (tangents * rows * n > 32768)
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t t = 0; t < tangents; ++t) {
      const int64_t at = (t * rows + r) * n;
      row_of(out + at, dx + at, x + r * n, mean[r], inverse[r], scale, n);
    }
  }
}

// min(max(x, low), high) of n values, and their tangents where the bounds are not passed; where low is open, also not
// where it is reached. out may be x.
template <typename T>
inline __attribute__((always_inline)) void clip(T* out, const T* x, int64_t tangents, int64_t n, int64_t begin, int64_t end, T low, T high, bool open) {
  for (int64_t t = 1; t <= tangents; ++t) {
    T* to = out + t * n;
    const T* from = x + t * n;
    // One choice after the other: compilers do not make vectors of a choice by both.
    if (open) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        const T above = x[i] > low ? from[i] : T(0);
        to[i] = x[i] <= high ? above : T(0);
      }
    } else {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        const T above = x[i] >= low ? from[i] : T(0);
        to[i] = x[i] <= high ? above : T(0);
      }
    }
  }
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const T v = x[i] < low ? low : x[i];
    out[i] = v > high ? high : v;
  }
}

EVERY_WIDTH void clip_of(float* out, const float* x, int64_t tangents, int64_t n, int64_t begin, int64_t end, float low, float high, bool open) {
  clip(out, x, tangents, n, begin, end, low, high, open);
}

EVERY_WIDTH void clip_of(double* out, const double* x, int64_t tangents, int64_t n, int64_t begin, int64_t end, double low, double high, bool open) {
  clip(out, x, tangents, n, begin, end, low, high, open);
}

template <typename T>
void clip_all(T* out, const T* x, int64_t tangents, int64_t n, T low, T high, bool open) {
  // Pieces whose values stay in the nearest cache until all tangents have seen them.
  const int64_t piece = 2048, pieces = (n + piece - 1) / piece;
#pragma omp parallel for if ((tangents + 1) * n > 32768)
  for (int64_t p = 0; p < pieces; ++p) {
    const int64_t begin = p * piece, end = begin + piece < n ? begin + piece : n;
    clip_of(out, x, tangents, n, begin, end, low, high, open);
  }
}

// A map and products of its derivatives with positions, one behind the other.
template <typename T>
struct Moved {
  const T* fields[3];  // h, its derivative along columns, and along rows: [groups, inner, rows, columns] each
  const T *x, *y;      // positions of the columns and of the rows
  T* out;              // [1 + terms, groups, rows, columns, inner]
  int64_t groups, inner, rows, columns, terms;
  const int32_t *field, *factor;  // of each term: which field, times 1 (0), x (1) or y (2)
};

// Row r of one group: its fields with their inner axis last, and the columns' positions as often.
template <typename T>
inline __attribute__((always_inline)) void move_row(const Moved<T>& m, int64_t g, int64_t r, const T* const* fields, const T* x) {
  const int64_t n = m.columns * m.inner, lane = m.groups * m.rows * n;
  T* out = m.out + (g * m.rows + r) * n;
  std::memcpy(out, fields[0], sizeof(T) * n);
  for (int64_t t = 0; t < m.terms; ++t) {
    out += lane;
    const T *field = fields[m.field[t]], y = m.y[r];
    if (m.factor[t] == 0) {
      std::memcpy(out, field, sizeof(T) * n);
    } else if (m.factor[t] == 1) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) out[i] = field[i] * x[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) out[i] = field[i] * y;
    }
  }
}

EVERY_WIDTH void move_row_of(const Moved<float>& m, int64_t g, int64_t r, const float* const* fields, const float* x) {
  move_row(m, g, r, fields, x);
}

EVERY_WIDTH void move_row_of(const Moved<double>& m, int64_t g, int64_t r, const double* const* fields, const double* x) {
  move_row(m, g, r, fields, x);
}

template <typename T>
int move_all(const Moved<T>& m) {
  const int64_t n = m.columns * m.inner;
  int failed = 0;
#pragma omp parallel reduction(| : failed) if (m.groups * m.rows * n > 32768)
  {
    T* buffer = static_cast<T*>(std::malloc(sizeof(T) * static_cast<size_t>(4 * n)));
    failed |= buffer == nullptr;
    T* x = buffer ? buffer + 3 * n : nullptr;
    for (int64_t i = 0; x && i < n; ++i) x[i] = m.x[i / m.inner];
#pragma omp for
    for (int64_t unit = 0; unit < m.groups * m.rows; ++unit) {
      const int64_t g = unit / m.rows, r = unit % m.rows;
      if (!buffer) continue;
      const T* fields[3];
      for (int f = 0; f < 3; ++f) {
        T* to = buffer + f * n;
        for (int64_t p = 0; p < m.inner; ++p) {
          const T* from = m.fields[f] + ((g * m.inner + p) * m.rows + r) * m.columns;
          for (int64_t c = 0; c < m.columns; ++c) to[c * m.inner + p] = from[c];
        }
        fields[f] = to;
      }
      move_row_of(m, g, r, fields, x);
    }
    std::free(buffer);
  }
  return failed;
}

// How products of matrices use a processor's registers: vectors of B bytes, and tiles of six rows by C of them, whose sums,
// with what is multiplied, fit the registers. Where they do not, each sum goes through memory, at fifteen times the time.
template <int B, int C>
struct Tiles {
  static constexpr int bytes = B, columns = C;
};
using Registers32Of64Bytes = Tiles<64, 4>;
using Registers16Of32Bytes = Tiles<32, 2>;
using Registers16Of16Bytes = Tiles<16, 2>;
using Registers32Of16Bytes = Tiles<16, 4>;

template <typename T, typename M>
struct Wide {
  typedef T type __attribute__((vector_size(M::bytes), aligned(sizeof(T)), may_alias));
  static constexpr int64_t entries = M::bytes / sizeof(T);
  // Rows of scores, and of the other factor, that stay in the nearest cache together.
  static constexpr int64_t rows = 48 * 4 / sizeof(T), depth = 64 * 4 / sizeof(T);
};

// A product of matrices: A [rows, depth] with unit steps along its rows, B [depth, columns] likewise.
template <typename T>
struct Pair {
  const T* a;
  int64_t a_row;
  const T* b;
  int64_t b_row;
  int64_t depth;
};

// R rows and C vectors of columns of a product, in registers; onto what `out` has, or instead of it.
template <typename T, typename M, int R, int C>
inline __attribute__((always_inline)) void tile(T* out, int64_t out_row, const Pair<T>& pair, bool onto) {
  using V = typename Wide<T, M>::type;
  constexpr int64_t W = Wide<T, M>::entries;
  V sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = onto ? *reinterpret_cast<const V*>(out + r * out_row + c * W) : V{};
  }
  for (int64_t k = 0; k < pair.depth; ++k) {
    V b[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) b[c] = *reinterpret_cast<const V*>(pair.b + k * pair.b_row + c * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const T a = pair.a[r * pair.a_row + k];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] += a * b[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) *reinterpret_cast<V*>(out + r * out_row + c * W) = sum[r][c];
  }
}

// Tiles of six rows at most, whose heights differ by one at most, so that none is so low that it waits for its sums.
template <typename T, typename M, int C>
inline __attribute__((always_inline)) void column(T* out, int64_t out_row, int64_t rows, Pair<T> pair, bool onto) {
  for (int64_t tiles = (rows + 5) / 6; tiles > 0; --tiles) {
    const int64_t high = (rows + tiles - 1) / tiles;
    switch (high) {
      case 6: tile<T, M, 6, C>(out, out_row, pair, onto); break;
      case 5: tile<T, M, 5, C>(out, out_row, pair, onto); break;
      case 4: tile<T, M, 4, C>(out, out_row, pair, onto); break;
      case 3: tile<T, M, 3, C>(out, out_row, pair, onto); break;
      case 2: tile<T, M, 2, C>(out, out_row, pair, onto); break;
      default: tile<T, M, 1, C>(out, out_row, pair, onto);
    }
    out += high * out_row;
    rows -= high;
    pair.a += high * pair.a_row;
  }
}

// out [rows, columns] = the sum of one or two products; columns in whole vectors.
template <typename T, typename M>
inline __attribute__((always_inline)) void products(T* out, int64_t out_row, int64_t rows, int64_t columns, const Pair<T>* pairs, int count) {
  constexpr int64_t W = Wide<T, M>::entries;
  for (int64_t c = 0; c < columns;) {
    const int64_t left = (columns - c) / W;
    // Five are three and two: one alone would wait for its sums.
    const int64_t now = left < M::columns ? left : M::columns == 4 && left == 5 ? 3 : M::columns;
    bool onto = false;
    for (int p = 0; p < count; ++p) {
      // So much depth that B's piece stays in the nearest cache while all rows pass.
      const int64_t pieces = (pairs[p].depth + Wide<T, M>::depth - 1) / Wide<T, M>::depth;
      for (int64_t piece = 0; piece < pieces; ++piece, onto = true) {
        const int64_t from = pairs[p].depth * piece / pieces, to = pairs[p].depth * (piece + 1) / pieces;
        const Pair<T> pair = {pairs[p].a + from, pairs[p].a_row, pairs[p].b + from * pairs[p].b_row + c, pairs[p].b_row, to - from};
        if constexpr (M::columns == 4) {
          if (now == 4) column<T, M, 4>(out + c, out_row, rows, pair, onto);
          if (now == 3) column<T, M, 3>(out + c, out_row, rows, pair, onto);
        }
        if (now == 2) column<T, M, 2>(out + c, out_row, rows, pair, onto);
        if (now == 1) column<T, M, 1>(out + c, out_row, rows, pair, onto);
      }
    }
    c += now * W;
  }
}

// One operand of an attention: where its values and tangents lie.
template <typename T>
struct Operand {
  const T* x;
  const T* dx;           // null where it does not move
  int64_t row;           // between rows of a matrix, whose entries lie side by side
  int64_t dx_row;
  int64_t tangent;       // between tangents
  const int64_t* at;     // of each group's values
  const int64_t* dx_at;  // of each group's tangents
};

template <typename T>
struct Attention {
  Operand<T> q, k, v;  // [n, d], [m, d], [m, e]
  const T* p;          // weights [groups, n, m]
  T* out;              // tangents of the output
  int64_t out_row, out_tangent;
  const int64_t* out_at;
  int64_t groups, tangents, n, m, d, e;
  T scale;
};

// m in whole vectors.
inline int64_t whole(int64_t m) { return (m + 15) / 16 * 16; }

// The transpose of [m, d] with rows of `wide` entries, of which those behind m are 0.
template <typename T>
inline __attribute__((always_inline)) void turn(T* out, const T* x, int64_t row, int64_t m, int64_t d, int64_t wide) {
  int64_t j = 0;
  if (sizeof(T) == 4) {
    typedef float V __attribute__((vector_size(16), aligned(4), may_alias));
    typedef int32_t I __attribute__((vector_size(16)));
    for (; j + 4 <= m; j += 4) {
      int64_t i = 0;
      for (; i + 4 <= d; i += 4) {
        const T* from = x + j * row + i;
        const V a = *reinterpret_cast<const V*>(from), b = *reinterpret_cast<const V*>(from + row);
        const V c = *reinterpret_cast<const V*>(from + 2 * row), e = *reinterpret_cast<const V*>(from + 3 * row);
        const V ab = __builtin_shuffle(a, b, I{0, 4, 1, 5}), ba = __builtin_shuffle(a, b, I{2, 6, 3, 7});
        const V ce = __builtin_shuffle(c, e, I{0, 4, 1, 5}), ec = __builtin_shuffle(c, e, I{2, 6, 3, 7});
        T* to = out + i * wide + j;
        *reinterpret_cast<V*>(to) = __builtin_shuffle(ab, ce, I{0, 1, 4, 5});
        *reinterpret_cast<V*>(to + wide) = __builtin_shuffle(ab, ce, I{2, 3, 6, 7});
        *reinterpret_cast<V*>(to + 2 * wide) = __builtin_shuffle(ba, ec, I{0, 1, 4, 5});
        *reinterpret_cast<V*>(to + 3 * wide) = __builtin_shuffle(ba, ec, I{2, 3, 6, 7});
      }
      for (; i < d; ++i) {
        for (int64_t r = 0; r < 4; ++r) out[i * wide + j + r] = x[(j + r) * row + i];
      }
    }
  }
  for (; j < m; ++j) {
    for (int64_t i = 0; i < d; ++i) out[i * wide + j] = x[j * row + i];
  }
}

// Rows `begin` to `end` of one tangent of one group, whose K' is given: dS = dQ K' + Q dK', dP = s P (dS - sum P dS),
// dY = dP V + P dV.
template <typename T, typename M>
inline __attribute__((always_inline)) void attend(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, const T* kt, T* buffer) {
  const int64_t wide = whole(a.m), rows = end - begin;
  T *dkt = buffer, *s = dkt + a.d * wide;
  const T* p = a.p + (g * a.n + begin) * a.m;
  Pair<T> pairs[2];
  int count = 0;
  if (a.q.dx) pairs[count++] = {a.q.dx + a.q.dx_at[g] + t * a.q.tangent + begin * a.q.dx_row, a.q.dx_row, kt, wide, a.d};
  if (a.k.dx) {
    turn(dkt, a.k.dx + a.k.dx_at[g] + t * a.k.tangent, a.k.dx_row, a.m, a.d, wide);
    pairs[count++] = {a.q.x + a.q.at[g] + begin * a.q.row, a.q.row, dkt, wide, a.d};
  }
  const bool weights_move = count > 0;
  Pair<T> last[2];
  int of = 0;
  if (weights_move) last[of++] = {s, wide, a.v.x + a.v.at[g], a.v.row, a.m};
  if (a.v.dx) last[of++] = {p, a.m, a.v.dx + a.v.dx_at[g] + t * a.v.tangent, a.v.dx_row, a.m};
  T* out = a.out + a.out_at[g] + t * a.out_tangent + begin * a.out_row;
  const int64_t blocks = (rows + Wide<T, M>::rows - 1) / Wide<T, M>::rows;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t from = rows * block / blocks, now = rows * (block + 1) / blocks - from;
    if (weights_move) {
      products<T, M>(s, wide, now, wide, pairs, count);
      for (int64_t i = 0; i < now; ++i) {
        T *ds = s + i * wide, mean = 0;
        const T* w = p + (from + i) * a.m;
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < a.m; ++j) mean += w[j] * ds[j];
#pragma omp simd
        for (int64_t j = 0; j < a.m; ++j) ds[j] = a.scale * w[j] * (ds[j] - mean);
      }
    }
    products<T, M>(out + from * a.out_row, a.out_row, now, a.e, last, of);
    for (int i = 0; i < count; ++i) pairs[i].a += now * pairs[i].a_row;
    if (a.v.dx) last[of - 1].a += now * a.m;
  }
}

template <typename T>
using Attend = void (*)(const Attention<T>&, int64_t, int64_t, int64_t, int64_t, const T*, T*);

#if defined(__x86_64__)
template <typename T>
__attribute__((target("avx512f,avx512vl,avx512dq,fma"))) void attend_512(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, const T* kt, T* buffer) {
  attend<T, Registers32Of64Bytes>(a, g, t, begin, end, kt, buffer);
}

template <typename T>
__attribute__((target("avx2,fma"))) void attend_256(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, const T* kt, T* buffer) {
  attend<T, Registers16Of32Bytes>(a, g, t, begin, end, kt, buffer);
}
#endif

template <typename T>
void attend_128(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, const T* kt, T* buffer) {
#if defined(__aarch64__)
  attend<T, Registers32Of16Bytes>(a, g, t, begin, end, kt, buffer);
#else
  attend<T, Registers16Of16Bytes>(a, g, t, begin, end, kt, buffer);
#endif
}

// The one for the widest vectors that the processor has, of so many bytes at most.
template <typename T>
Attend<T> attend_of(int bytes) {
#if defined(__x86_64__)
  const bool fma = __builtin_cpu_supports("fma");
  const bool wide = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (bytes >= 64 && wide) return attend_512<T>;
  if (bytes >= 32 && fma && __builtin_cpu_supports("avx2")) return attend_256<T>;
#endif
  return attend_128<T>;
}

// While it lives, numbers too small for full precision count as 0. Masked weights are such numbers, e^-100, and each
// operation on one costs a hundred others.
class NoTinyNumbers {
 public:
#ifdef __SSE2__
  NoTinyNumbers() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~NoTinyNumbers() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#endif
};

template <typename T>
int attend_all(const Attention<T>& a, int bytes) {
  const Attend<T> attend = attend_of<T>(bytes);
  const int64_t wide = whole(a.m), most = Wide<T, Registers32Of64Bytes>::rows;
  const size_t room = (sizeof(T) * static_cast<size_t>((2 * a.d + most) * wide) + 63) / 64 * 64;
  int failed = 0;
#pragma omp parallel reduction(| : failed)
  {
    [[maybe_unused]] const NoTinyNumbers none;
    // Zeros behind the last column stay zeros.
    T* buffer = static_cast<T*>(std::aligned_alloc(64, room));
    if (buffer) std::memset(buffer, 0, room);
    failed |= buffer == nullptr;
    // Where groups and tangents are few their rows are halved, so that no thread waits for another.
    const int64_t parts = a.groups * a.tangents < 64 ? 2 : 1;
    int64_t held = -1;
#pragma omp for
    for (int64_t unit = 0; unit < a.groups * a.tangents * parts; ++unit) {
      const int64_t g = unit / (a.tangents * parts), t = unit / parts % a.tangents, part = unit % parts;
      if (!buffer) continue;
      if (held != g) turn(buffer, a.k.x + a.k.at[g], a.k.row, a.m, a.d, wide);
      held = g;
      attend(a, g, t, a.n * part / parts, a.n * (part + 1) / parts, buffer, buffer + a.d * wide);
    }
    std::free(buffer);
  }
  return failed;
}

}  // namespace

extern "C" {

// The tangents of softmax(s Q K' + c) V for small matrices, group by group, in vectors of so many bytes at most; returns 0,
// or 1 where memory is short.
int aliascope_attention_f32(const Attention<float>* attention, int bytes) { return attend_all(*attention, bytes); }
int aliascope_attention_f64(const Attention<double>* attention, int bytes) { return attend_all(*attention, bytes); }

// A map and products of its derivatives with positions; returns 0, or 1 where memory is short.
int aliascope_move_f32(const Moved<float>* moved) { return move_all(*moved); }
int aliascope_move_f64(const Moved<double>* moved) { return move_all(*moved); }

// A stack of values [n] and tangents [tangents, n] through min(max(x, low), high); `open` says whether the derivative at
// low is 0. out is x, or apart from it.
void aliascope_clip_f32(float* out, const float* x, int64_t tangents, int64_t n, double low, double high, int open) {
  clip_all(out, x, tangents, n, static_cast<float>(low), static_cast<float>(high), open != 0);
}

void aliascope_clip_f64(double* out, const double* x, int64_t tangents, int64_t n, double low, double high, int open) {
  clip_all(out, x, tangents, n, low, high, open != 0);
}

// Tangents [tangents, rows, n] of the layer norm of x [rows, n] with its rows' mean and 1/sigma; scale [n] may be null.
void aliascope_layer_norm_tangent_f32(float* out, const float* dx, const float* x, const float* mean, const float* inverse, const float* scale, int64_t tangents, int64_t rows, int64_t n) {
  rows_of(out, dx, x, mean, inverse, scale, tangents, rows, n);
}

void aliascope_layer_norm_tangent_f64(double* out, const double* dx, const double* x, const double* mean, const double* inverse, const double* scale, int64_t tangents, int64_t rows, int64_t n) {
  rows_of(out, dx, x, mean, inverse, scale, tangents, rows, n);
}
}
