// Attention over heads and its tangents.
#include <cstdlib>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "vectors.h"

namespace {

// How products of matrices use a processor's registers: vectors of B bytes, and tiles of six rows by C of them, whose sums,
// with what is multiplied, fit the registers. Where they do not, each sum goes through memory, at fifteen times the time.
// `depth` is how many rows of the second factor, in single precision, stay in the nearest cache while `rows` rows of the
// first pass.
template <int B, int C, int Depth, int Rows>
struct Tiles {
  static constexpr int bytes = B, columns = C, depth = Depth, rows = Rows;
};
using Registers32Of64Bytes = Tiles<64, 4, 64, 48>;
using Registers16Of32Bytes = Tiles<32, 2, 256, 96>;
using Registers16Of16Bytes = Tiles<16, 2, 256, 96>;
using Registers32Of16Bytes = Tiles<16, 4, 256, 96>;

template <typename T, typename M>
struct Wide {
  typedef T type __attribute__((vector_size(M::bytes), aligned(sizeof(T)), may_alias));
  static constexpr int64_t entries = M::bytes / sizeof(T);
  static constexpr int64_t rows = M::rows * 4 / sizeof(T), depth = M::depth * 4 / sizeof(T);
  // n in whole vectors.
  static constexpr int64_t whole(int64_t n) { return (n + entries - 1) / entries * entries; }
};

// A product of matrices: A [rows, depth] with unit steps along its rows, and B [depth, columns], of whose rows the entries
// of a vector lie side by side.
template <typename T>
struct Pair {
  const T* a;
  int64_t a_row;
  const T* b;
  int64_t b_row, b_vector;  // between rows, and between vectors of a row
  int64_t depth;
};

// R rows and C vectors of columns of a sum of products, in registers; onto what `out` has, or instead of it.
template <typename T, typename M, int R, int C>
inline __attribute__((always_inline)) void tile(T* out, int64_t out_row, const Pair<T>* pairs, int count, bool onto) {
  using V = typename Wide<T, M>::type;
  constexpr int64_t W = Wide<T, M>::entries;
  V sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = onto ? *reinterpret_cast<const V*>(out + r * out_row + c * W) : V{};
  }
  for (int p = 0; p < count; ++p) {
    const T *a = pairs[p].a, *row = pairs[p].b;
    const int64_t a_row = pairs[p].a_row, b_row = pairs[p].b_row, b_vector = pairs[p].b_vector, depth = pairs[p].depth;
    // Four steps at once: fewer of a tile's steps than its products are then spent on counting, and its end is foreseen.
#pragma GCC unroll 4
    for (int64_t k = 0; k < depth; ++k, row += b_row) {
      V b[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) b[c] = *reinterpret_cast<const V*>(row + c * b_vector);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const T factor = a[r * a_row + k];
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) sum[r][c] += factor * b[c];
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) *reinterpret_cast<V*>(out + r * out_row + c * W) = sum[r][c];
  }
}

// Tiles of so many rows at most that their sums fit the registers, whose heights differ by one at most, so that none is so
// low that it waits for its sums.
template <typename T, typename M, int C>
inline __attribute__((always_inline)) void column(T* out, int64_t out_row, int64_t rows, Pair<T>* pairs, int count, bool onto) {
  constexpr int64_t most = C > M::columns ? 4 : 6;
  for (int64_t tiles = (rows + most - 1) / most; tiles > 0; --tiles) {
    const int64_t high = (rows + tiles - 1) / tiles;
    if constexpr (most == 6) {
      if (high == 6) tile<T, M, 6, C>(out, out_row, pairs, count, onto);
      if (high == 5) tile<T, M, 5, C>(out, out_row, pairs, count, onto);
    }
    if (high == 4) tile<T, M, 4, C>(out, out_row, pairs, count, onto);
    if (high == 3) tile<T, M, 3, C>(out, out_row, pairs, count, onto);
    if (high == 2) tile<T, M, 2, C>(out, out_row, pairs, count, onto);
    if (high == 1) tile<T, M, 1, C>(out, out_row, pairs, count, onto);
    out += high * out_row;
    rows -= high;
    for (int p = 0; p < count; ++p) pairs[p].a += high * pairs[p].a_row;
  }
}

// out [rows, columns] = the sum of one or two products; columns in whole vectors.
template <typename T, typename M>
inline __attribute__((always_inline)) void products(T* out, int64_t out_row, int64_t rows, int64_t columns, const Pair<T>* pairs, int count) {
  constexpr int64_t W = Wide<T, M>::entries;
  int64_t depth = 0;
  for (int p = 0; p < count; ++p) depth += pairs[p].depth;
  const int64_t pieces = (depth + Wide<T, M>::depth - 1) / Wide<T, M>::depth;
  for (int64_t c = 0; c < columns / W;) {
    const int64_t left = columns / W - c;
    // One vector alone would wait for its sums: five are three and two, and three stay together where four are too many.
    const int64_t now = left < M::columns ? left : left == M::columns + 1 ? 3 : M::columns;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      // Of the depths of all pairs, one after the other.
      int64_t from = depth * piece / pieces, to = depth * (piece + 1) / pieces;
      Pair<T> parts[2] = {};
      int of = 0;
      for (int p = 0; p < count; ++p) {
        const Pair<T>& all = pairs[p];
        const int64_t begin = from < 0 ? 0 : from, end = to < all.depth ? to : all.depth;
        if (begin < end) {
          parts[of++] = {all.a + begin, all.a_row, all.b + begin * all.b_row + c * all.b_vector, all.b_row, all.b_vector, end - begin};
        }
        from -= all.depth;
        to -= all.depth;
      }
      if constexpr (M::columns == 4) {
        if (now == 4) column<T, M, 4>(out + c * W, out_row, rows, parts, of, piece > 0);
      }
      if (now == 3) column<T, M, 3>(out + c * W, out_row, rows, parts, of, piece > 0);
      if (now == 2) column<T, M, 2>(out + c * W, out_row, rows, parts, of, piece > 0);
      if (now == 1) column<T, M, 1>(out + c * W, out_row, rows, parts, of, piece > 0);
    }
    c += now;
  }
}

// One operand: where its values and tangents lie.
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
  const T* c;          // [n, m], what is added to the scores, or null
  int64_t c_row;
  const int64_t* c_at;
  T* p;                // room for the weights, [groups, n, m in whole vectors]
  T* y;                // values of the output, [n, e]
  int64_t y_row;
  const int64_t* y_at;
  T* dy;               // tangents of the output
  int64_t dy_row, dy_tangent;
  const int64_t* dy_at;
  int64_t groups, tangents, n, m, d, e;
  double scale;
};

// Rows of scores that are taken at once: fewer where they are long, so that they stay in the second cache.
template <typename T, typename M>
constexpr int64_t most_rows(int64_t wide) {
  constexpr int64_t entries = 65536 * 4 / sizeof(T);
  const int64_t fit = entries / wide;
  return fit >= Wide<T, M>::rows ? Wide<T, M>::rows : fit > 6 ? fit : 6;
}

// What a thread has of its own: K' of one group, one of its tangents, of which it is, and room for scores.
template <typename T>
struct Room {
  T *kt, *dkt, *s;
  int64_t group, tangent;
};

// The transpose of x [m, d] as [vectors of m, d, entries of a vector]; those from m on are 0.
template <typename T, typename M>
inline __attribute__((always_inline)) void turn(T* out, const T* x, int64_t row, int64_t m, int64_t d) {
  constexpr int64_t W = Wide<T, M>::entries;
  typedef float V __attribute__((vector_size(16), aligned(4), may_alias));
  typedef int32_t I __attribute__((vector_size(16)));
  for (int64_t first = 0; first < m; first += W, out += d * W) {
    const int64_t high = m - first < W ? m - first : W;
    for (int64_t j = 0; j < W;) {
      const T* from = x + (first + j) * row;
      T* to = out + j;
      if (sizeof(T) != 4 || j + 4 > high) {
        for (int64_t i = 0; i < d; ++i) to[i * W] = j < high ? from[i] : T(0);
        ++j;
        continue;
      }
      const T* next = from + W * row;
      int64_t i = 0;
      for (; i + 4 <= d; i += 4, from += 4, to += 4 * W) {
        // Of the rows to come; rows lie too far apart for the processor to foresee them.
        __builtin_prefetch(next + i / 4 % 4 * row + i / 16 * 16);
        const V a = *reinterpret_cast<const V*>(from), b = *reinterpret_cast<const V*>(from + row);
        const V c = *reinterpret_cast<const V*>(from + 2 * row), e = *reinterpret_cast<const V*>(from + 3 * row);
        const V ab = __builtin_shuffle(a, b, I{0, 4, 1, 5}), ba = __builtin_shuffle(a, b, I{2, 6, 3, 7});
        const V ce = __builtin_shuffle(c, e, I{0, 4, 1, 5}), ec = __builtin_shuffle(c, e, I{2, 6, 3, 7});
        *reinterpret_cast<V*>(to) = __builtin_shuffle(ab, ce, I{0, 1, 4, 5});
        *reinterpret_cast<V*>(to + W) = __builtin_shuffle(ab, ce, I{2, 3, 6, 7});
        *reinterpret_cast<V*>(to + 2 * W) = __builtin_shuffle(ba, ec, I{0, 1, 4, 5});
        *reinterpret_cast<V*>(to + 3 * W) = __builtin_shuffle(ba, ec, I{2, 3, 6, 7});
      }
      for (; i < d; ++i, ++from, to += W) {
        for (int64_t r = 0; r < 4; ++r) to[r] = from[r * row];
      }
      j += 4;
    }
  }
}

// P = softmax(s S + c) of one row, onto S; those from m on are 0.
template <typename T>
inline __attribute__((always_inline)) void weigh(T* p, const T* c, int64_t m, int64_t wide, T scale) {
  T top = -__builtin_inf();
  if (c) {
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < m; ++j) {
      p[j] = scale * p[j] + c[j];
      top = p[j] > top ? p[j] : top;
    }
  } else {
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < m; ++j) {
      p[j] = scale * p[j];
      top = p[j] > top ? p[j] : top;
    }
  }
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < m; ++j) {
    p[j] = exponential(p[j] - top);
    sum += p[j];
  }
  const T share = 1 / sum;
#pragma omp simd
  for (int64_t j = 0; j < m; ++j) p[j] *= share;
  for (int64_t j = m; j < wide; ++j) p[j] = 0;
}

// K' of a group, as a factor.
template <typename T, typename M>
inline __attribute__((always_inline)) const T* turned(const Attention<T>& a, int64_t g, Room<T>& room) {
  if (room.group != g) turn<T, M>(room.kt, a.k.x + a.k.at[g], a.k.row, a.m, a.d);
  room.group = g;
  return room.kt;
}

// One of its tangents.
template <typename T, typename M>
inline __attribute__((always_inline)) const T* turned(const Attention<T>& a, int64_t g, int64_t t, Room<T>& room) {
  const int64_t tangent = g * a.tangents + t;
  if (room.tangent != tangent) turn<T, M>(room.dkt, a.k.dx + a.k.dx_at[g] + t * a.k.tangent, a.k.dx_row, a.m, a.d);
  room.tangent = tangent;
  return room.dkt;
}

// Rows `begin` to `end` of one group: P = softmax(s Q K' + c), Y = P V.
template <typename T, typename M>
inline __attribute__((always_inline)) void values(const Attention<T>& a, int64_t g, int64_t begin, int64_t end, Room<T>& room) {
  constexpr int64_t W = Wide<T, M>::entries;
  const int64_t wide = Wide<T, M>::whole(a.m), rows = end - begin;
  const T* kt = turned<T, M>(a, g, room);
  const T scale = static_cast<T>(a.scale);
  const int64_t high = most_rows<T, M>(wide), blocks = (rows + high - 1) / high;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t from = begin + rows * block / blocks, to = begin + rows * (block + 1) / blocks;
    T* p = a.p + (g * a.n + from) * wide;
    const Pair<T> scores = {a.q.x + a.q.at[g] + from * a.q.row, a.q.row, kt, W, a.d * W, a.d};
    products<T, M>(p, wide, to - from, wide, &scores, 1);
    for (int64_t i = from; i < to; ++i) {
      weigh(p + (i - from) * wide, a.c ? a.c + a.c_at[g] + i * a.c_row : nullptr, a.m, wide, scale);
    }
    const Pair<T> sums = {p, wide, a.v.x + a.v.at[g], a.v.row, W, a.m};
    products<T, M>(a.y + a.y_at[g] + from * a.y_row, a.y_row, to - from, a.e, &sums, 1);
  }
}

// Rows `begin` to `end` of one tangent of one group: dS = dQ K' + Q dK', dP = s P (dS - sum P dS), dY = dP V + P dV.
template <typename T, typename M>
inline __attribute__((always_inline)) void tangent(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, Room<T>& room) {
  constexpr int64_t W = Wide<T, M>::entries;
  const int64_t wide = Wide<T, M>::whole(a.m), rows = end - begin;
  const T* p = a.p + (g * a.n + begin) * wide;
  const T scale = static_cast<T>(a.scale);
  Pair<T> scores[2], sums[2];
  int of_scores = 0, of_sums = 0;
  if (a.q.dx) {
    const T* dq = a.q.dx + a.q.dx_at[g] + t * a.q.tangent + begin * a.q.dx_row;
    scores[of_scores++] = {dq, a.q.dx_row, turned<T, M>(a, g, room), W, a.d * W, a.d};
  }
  if (a.k.dx) {
    scores[of_scores++] = {a.q.x + a.q.at[g] + begin * a.q.row, a.q.row, turned<T, M>(a, g, t, room), W, a.d * W, a.d};
  }
  if (of_scores > 0) sums[of_sums++] = {room.s, wide, a.v.x + a.v.at[g], a.v.row, W, a.m};
  if (a.v.dx) sums[of_sums++] = {p, wide, a.v.dx + a.v.dx_at[g] + t * a.v.tangent, a.v.dx_row, W, a.m};
  T* out = a.dy + a.dy_at[g] + t * a.dy_tangent + begin * a.dy_row;
  const int64_t high = most_rows<T, M>(wide), blocks = (rows + high - 1) / high;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t from = rows * block / blocks, now = rows * (block + 1) / blocks - from;
    if (of_scores > 0) {
      products<T, M>(room.s, wide, now, wide, scores, of_scores);
      for (int64_t i = 0; i < now; ++i) {
        T *ds = room.s + i * wide, mean = 0;
        const T* w = p + (from + i) * wide;
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < wide; ++j) mean += w[j] * ds[j];
#pragma omp simd
        for (int64_t j = 0; j < wide; ++j) ds[j] = scale * w[j] * (ds[j] - mean);
      }
    }
    products<T, M>(out + from * a.dy_row, a.dy_row, now, a.e, sums, of_sums);
    for (int i = 0; i < of_scores; ++i) scores[i].a += now * scores[i].a_row;
    if (a.v.dx) sums[of_sums - 1].a += now * wide;
  }
}

// The two in vectors of one width.
template <typename T>
struct Loops {
  void (*values)(const Attention<T>&, int64_t, int64_t, int64_t, Room<T>&);
  void (*tangent)(const Attention<T>&, int64_t, int64_t, int64_t, int64_t, Room<T>&);
};

#define LOOPS(name, registers, attributes)                                                                                  \
  template <typename T>                                                                                                     \
  attributes void values_##name(const Attention<T>& a, int64_t g, int64_t begin, int64_t end, Room<T>& room) {              \
    values<T, registers>(a, g, begin, end, room);                                                                           \
  }                                                                                                                         \
  template <typename T>                                                                                                     \
  attributes void tangent_##name(const Attention<T>& a, int64_t g, int64_t t, int64_t begin, int64_t end, Room<T>& room) {  \
    tangent<T, registers>(a, g, t, begin, end, room);                                                                       \
  }

#if defined(__x86_64__)
LOOPS(512, Registers32Of64Bytes, __attribute__((target("avx512f,avx512vl,avx512dq,fma"))))
LOOPS(256, Registers16Of32Bytes, __attribute__((target("avx2,fma"))))
#endif
#if defined(__aarch64__)
LOOPS(128, Registers32Of16Bytes, )
#else
LOOPS(128, Registers16Of16Bytes, )
#endif

// Those for the widest vectors that the processor has, of so many bytes at most.
template <typename T>
Loops<T> loops_of([[maybe_unused]] int bytes) {
#if defined(__x86_64__)
  const bool fma = __builtin_cpu_supports("fma");
  const bool wide = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (bytes >= 64 && wide) return {values_512<T>, tangent_512<T>};
  if (bytes >= 32 && fma && __builtin_cpu_supports("avx2")) return {values_256<T>, tangent_256<T>};
#endif
  return {values_128<T>, tangent_128<T>};
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
int attend(const Attention<T>& a, int bytes) {
  const Loops<T> loops = loops_of<T>(bytes);
  // In whole vectors of the widest, and no fewer rows than any of them takes at once.
  const int64_t wide = Wide<T, Registers32Of64Bytes>::whole(a.m), rows = Wide<T, Registers16Of32Bytes>::rows;
  static_assert(Registers16Of32Bytes::rows >= Registers32Of64Bytes::rows && Registers16Of32Bytes::rows >= Registers16Of16Bytes::rows);
  const size_t room = (sizeof(T) * static_cast<size_t>((2 * a.d + rows) * wide) + 63) / 64 * 64;
  int failed = 0;
#pragma omp parallel reduction(| : failed)
  {
    [[maybe_unused]] const NoTinyNumbers none;
    T* buffer = static_cast<T*>(std::aligned_alloc(64, room));
    failed |= buffer == nullptr;
    Room<T> own = {buffer, buffer + a.d * wide, buffer + 2 * a.d * wide, -1, -1};
    // Where groups are few their rows are shared out, so that no thread waits for another.
    const int64_t quarters = a.groups < 16 ? 4 : 1, halves = a.groups * a.tangents < 64 ? 2 : 1;
#pragma omp for schedule(guided)
    for (int64_t unit = 0; unit < a.groups * quarters; ++unit) {
      const int64_t g = unit / quarters, part = unit % quarters;
      if (buffer) loops.values(a, g, a.n * part / quarters, a.n * (part + 1) / quarters, own);
    }
#pragma omp for schedule(guided)
    for (int64_t unit = 0; unit < a.groups * a.tangents * halves; ++unit) {
      const int64_t g = unit / (a.tangents * halves), t = unit / halves % a.tangents, part = unit % halves;
      if (buffer) loops.tangent(a, g, t, a.n * part / halves, a.n * (part + 1) / halves, own);
    }
    std::free(buffer);
  }
  return failed;
}

}  // namespace

extern "C" {

// softmax(s Q K' + c) V and its tangents, group by group, in vectors of so many bytes at most; returns 0,
// or 1 where memory is short.
int aliascope_attention_f32(const Attention<float>* attention, int bytes) { return attend(*attention, bytes); }
int aliascope_attention_f64(const Attention<double>* attention, int bytes) { return attend(*attention, bytes); }

// Where the fields of an operand lie, and its size, for the test that Rust has them in the same places.
int64_t aliascope_operand_layout(int64_t* to) {
  using S = Operand<float>;
  const size_t layout[] = {offsetof(S, x), offsetof(S, dx), offsetof(S, row), offsetof(S, dx_row), offsetof(S, tangent), offsetof(S, at), offsetof(S, dx_at), sizeof(S)};
  int64_t count = 0;
  for (const size_t at : layout) to[count++] = static_cast<int64_t>(at);
  return count;
}

// Where the fields of an attention lie, and its size, for the test that Rust has them in the same places.
int64_t aliascope_attention_layout(int64_t* to) {
  using S = Attention<float>;
  const size_t layout[] = {offsetof(S, q), offsetof(S, k), offsetof(S, v), offsetof(S, c), offsetof(S, c_row), offsetof(S, c_at), offsetof(S, p), offsetof(S, y), offsetof(S, y_row), offsetof(S, y_at), offsetof(S, dy), offsetof(S, dy_row), offsetof(S, dy_tangent), offsetof(S, dy_at), offsetof(S, groups), offsetof(S, tangents), offsetof(S, n), offsetof(S, m), offsetof(S, d), offsetof(S, e), offsetof(S, scale), sizeof(S)};
  int64_t count = 0;
  for (const size_t at : layout) to[count++] = static_cast<int64_t>(at);
  return count;
}
}
