// Loops over lanes for which libtorch has no operator of one pass.
#include <cstdint>

// The widest registers of the machine, whatever the compiler's default is.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define EVERY_WIDTH __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
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

}  // namespace

extern "C" {

// Tangents [tangents, rows, n] of the layer norm of x [rows, n] with its rows' mean and 1/sigma; scale [n] may be null.
void aliascope_layer_norm_tangent_f32(float* out, const float* dx, const float* x, const float* mean, const float* inverse, const float* scale, int64_t tangents, int64_t rows, int64_t n) {
  rows_of(out, dx, x, mean, inverse, scale, tangents, rows, n);
}

void aliascope_layer_norm_tangent_f64(double* out, const double* dx, const double* x, const double* mean, const double* inverse, const double* scale, int64_t tangents, int64_t rows, int64_t n) {
  rows_of(out, dx, x, mean, inverse, scale, tangents, rows, n);
}
}
