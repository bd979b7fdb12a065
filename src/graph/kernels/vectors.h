// What the kernels share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

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

// What the exponential function needs to know of a type.
template <typename T>
struct Exponent;

template <>
struct Exponent<float> {
  using Bits = uint32_t;
  // 1.5 times 2^23: what is added to it is rounded to a whole number, which then stands in its last bits.
  static constexpr float whole = 12582912.0f;
  static constexpr int shift = 23, degree = 7;
  // ln 2 in two parts, of which whole multiples of the first are exact.
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440054690583e-4f;
  static constexpr float least = -87.0f;
};

template <>
struct Exponent<double> {
  using Bits = uint64_t;
  static constexpr double whole = 6755399441055744.0;
  static constexpr int shift = 52, degree = 13;
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
  static constexpr double least = -708.0;
};

// e^x for x <= 0, which compilers make vectors of: 2^k e^r with k whole and |r| <= ln(2)/2, where Taylor's polynomial is
// exact to half a unit in the last place. Where the result would have no full precision it is 0; NaN stays NaN.
template <typename T>
inline __attribute__((always_inline)) T exponential(T x) {
  using E = Exponent<T>;
  using Bits = typename E::Bits;
  const T shifted = x * static_cast<T>(1.4426950408889634074) + E::whole, k = shifted - E::whole;
  const T r = (x - k * E::ln2_high) - k * E::ln2_low;
  constexpr double factorial[] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800};
  T p = static_cast<T>(1 / factorial[E::degree]);
#pragma GCC unroll 16
  for (int i = E::degree - 1; i >= 0; --i) p = p * r + static_cast<T>(1 / factorial[i]);
  const Bits bits = __builtin_bit_cast(Bits, p) + (__builtin_bit_cast(Bits, shifted) << E::shift);
  const T y = x < E::least ? T(0) : __builtin_bit_cast(T, bits);
  return x == x ? y : x;
}

}  // namespace
