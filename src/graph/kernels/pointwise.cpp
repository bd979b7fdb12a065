// Functions entry by entry, of values and tangents in one pass.
#include "vectors.h"

namespace {

// The functions: a clip, whose derivative is 1 between its bounds and on them, one whose derivative is 0 on the lower bound,
// x Phi(x), the same with tanh, and x / (1 + e^(-factor x)).
enum Function : int32_t { Clip, OpenClip, Gelu, GeluTanh, Swish };

template <typename T>
struct Pointwise {
  T* out;           // values [n] and tangents [tangents, n]; may be x
  const T* x;       // values and tangents likewise
  const T* y;       // the function's values [n]; null for clips
  const T* offset;  // what the values lack yet, one for each of the channels, which lie side by side; or null; for clips
  int64_t channels, tangents, n;
  double low, high, factor;
  int32_t function;
};

// Entries whose values stay in the nearest cache until all tangents have seen them.
constexpr int64_t most = 2048;

// The tangents of a clip where its values are v. One choice after the other: compilers do not make vectors of a choice by
// both.
template <typename T>
inline __attribute__((always_inline)) void clip(T* to, const T* from, const T* v, int64_t n, T low, T high, bool open) {
  if (open) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T above = v[i] > low ? from[i] : T(0);
      to[i] = v[i] <= high ? above : T(0);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T above = v[i] >= low ? from[i] : T(0);
      to[i] = v[i] <= high ? above : T(0);
    }
  }
}

// The slopes of x g(x) with g = 1 / (1 + e^-u): g + x u' g (1 - g), where 1 - g is not taken as a difference, whose digits
// would go.
template <typename T>
inline __attribute__((always_inline)) T gated(T x, T u, T du) {
  const T e = exponential(u < 0 ? u : -u), share = 1 / (1 + e);
  return (u < 0 ? e * share : share) + x * du * e * share * share;
}

// The slopes of a function at x, where its values are y.
template <typename T>
inline __attribute__((always_inline)) void slopes(T* slope, const T* x, const T* y, int64_t n, int32_t function, T factor) {
  if (function == Gelu) {
    // Phi + x e^(-x^2 / 2) / sqrt(2 pi), where Phi is y / x, and 1 / 2 for the least x.
    const T tiny = T(1e-18), half = T(0.5), density = T(0.39894228040143267794);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T phi = x[i] > tiny || x[i] < -tiny ? y[i] / x[i] : half;
      slope[i] = phi + x[i] * (density * exponential(-half * x[i] * x[i]));
    }
  } else if (function == GeluTanh) {
    // (1 + tanh(u / 2)) / 2 is 1 / (1 + e^-u).
    const T twice = T(2 * 0.79788456080286535588), cubic = T(0.044715);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T square = cubic * x[i] * x[i];
      slope[i] = gated(x[i], twice * x[i] * (1 + square), twice * (1 + 3 * square));
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) slope[i] = gated(x[i], factor * x[i], factor);
  }
}

// Entries from `begin` on; `offset` has what each of them lacks.
template <typename T>
inline __attribute__((always_inline)) void piece(const Pointwise<T>& p, int64_t begin, int64_t n, const T* offset) {
  T room[most];
  const T *x = p.x + begin, *v = x;
  T* out = p.out + begin;
  if (p.function == Clip || p.function == OpenClip) {
    if (offset) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) room[i] = x[i] + offset[i];
      v = room;
    }
    const T low = static_cast<T>(p.low), high = static_cast<T>(p.high);
    for (int64_t t = 1; t <= p.tangents; ++t) clip(out + t * p.n, x + t * p.n, v, n, low, high, p.function == OpenClip);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T above = v[i] < low ? low : v[i];
      out[i] = above > high ? high : above;
    }
    return;
  }
  slopes(room, x, p.y + begin, n, p.function, static_cast<T>(p.factor));
  for (int64_t t = 1; t <= p.tangents; ++t) {
    T* to = out + t * p.n;
    const T* from = x + t * p.n;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = from[i] * room[i];
  }
  std::memcpy(out, p.y + begin, sizeof(T) * n);
}

EVERY_WIDTH void piece_of(const Pointwise<float>& p, int64_t begin, int64_t n, const float* offset) { piece(p, begin, n, offset); }

EVERY_WIDTH void piece_of(const Pointwise<double>& p, int64_t begin, int64_t n, const double* offset) { piece(p, begin, n, offset); }

template <typename T>
void pass(const Pointwise<T>& p) {
  // Checked by the caller; here once more, since a division by 0 would end the program.
  if (p.n < 1 || (p.offset && (p.channels < 1 || p.channels > most))) return;
  // Whole pixels, so that what they lack is the same in all pieces.
  const int64_t channels = p.offset ? p.channels : 1, size = most / channels * channels, pieces = (p.n + size - 1) / size;
  T offset[most];
  for (int64_t i = 0; p.offset && i < size; ++i) offset[i] = p.offset[i % channels];
#pragma omp parallel for if ((p.tangents + 1) * p.n > 32768)
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t begin = i * size, left = p.n - begin;
    piece_of(p, begin, left < size ? left : size, p.offset ? offset : nullptr);
  }
}

}  // namespace

extern "C" {

// A stack of values and tangents through a function; `channels` are 2048 at most.
void aliascope_pointwise_f32(const Pointwise<float>* pointwise) { pass(*pointwise); }
void aliascope_pointwise_f64(const Pointwise<double>* pointwise) { pass(*pointwise); }

// Where the fields of a function entry by entry lie, and its size, for the test that Rust has them in the same places.
int64_t aliascope_pointwise_layout(int64_t* to) {
  using S = Pointwise<float>;
  const size_t layout[] = {offsetof(S, out), offsetof(S, x), offsetof(S, y), offsetof(S, offset), offsetof(S, channels), offsetof(S, tangents), offsetof(S, n), offsetof(S, low), offsetof(S, high), offsetof(S, factor), offsetof(S, function), sizeof(S)};
  int64_t count = 0;
  for (const size_t at : layout) to[count++] = static_cast<int64_t>(at);
  return count;
}
}
