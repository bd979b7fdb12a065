// The tangents of layer norm, and those of an input that is moved.
#include <cstdlib>

#include "vectors.h"

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

// The tangents of the layer norm of rows, with each row's mean and 1/sigma.
template <typename T>
struct Norm {
  T* out;                   // [tangents, rows, n]
  const T* dx;              // likewise
  const T* x;               // [rows, n]
  const T *mean, *inverse;  // [rows]
  const T* scale;           // [n], or null
  int64_t tangents, rows, n;
};

template <typename T>
void rows_of(const Norm<T>& norm) {
  // All tangents of a row while its values are near.
#pragma omp parallel for if (norm.tangents * norm.rows * norm.n > 32768)
  for (int64_t r = 0; r < norm.rows; ++r) {
    for (int64_t t = 0; t < norm.tangents; ++t) {
      const int64_t at = (t * norm.rows + r) * norm.n;
      row_of(norm.out + at, norm.dx + at, norm.x + r * norm.n, norm.mean[r], norm.inverse[r], norm.scale, norm.n);
    }
  }
}

// A map and products of its derivatives with positions, one after the other.
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
  const int64_t n = m.columns * m.inner, whole = m.groups * m.rows * n;
  T* out = m.out + (g * m.rows + r) * n;
  std::memcpy(out, fields[0], sizeof(T) * n);
  for (int64_t t = 0; t < m.terms; ++t) {
    out += whole;
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

}  // namespace

extern "C" {

// A map and products of its derivatives with positions; returns 0, or 1 where memory is short.
int aliascope_move_f32(const Moved<float>* moved) { return move_all(*moved); }
int aliascope_move_f64(const Moved<double>* moved) { return move_all(*moved); }

void aliascope_layer_norm_tangent_f32(const Norm<float>* norm) { rows_of(*norm); }
void aliascope_layer_norm_tangent_f64(const Norm<double>* norm) { rows_of(*norm); }

// Where the fields of a move lie, and its size, for the test that Rust has them in the same places.
int64_t aliascope_move_layout(int64_t* to) {
  using S = Moved<float>;
  const size_t layout[] = {offsetof(S, fields), offsetof(S, x), offsetof(S, y), offsetof(S, out), offsetof(S, groups), offsetof(S, inner), offsetof(S, rows), offsetof(S, columns), offsetof(S, terms), offsetof(S, field), offsetof(S, factor), sizeof(S)};
  int64_t count = 0;
  for (const size_t at : layout) to[count++] = static_cast<int64_t>(at);
  return count;
}

// Where the fields of a layer norm lie, and its size, for the test that Rust has them in the same places.
int64_t aliascope_layer_norm_layout(int64_t* to) {
  using S = Norm<float>;
  const size_t layout[] = {offsetof(S, out), offsetof(S, dx), offsetof(S, x), offsetof(S, mean), offsetof(S, inverse), offsetof(S, scale), offsetof(S, tangents), offsetof(S, rows), offsetof(S, n), sizeof(S)};
  int64_t count = 0;
  for (const size_t at : layout) to[count++] = static_cast<int64_t>(at);
  return count;
}
}
