// The two calls of libtorch's forward-mode automatic differentiation that tch does not wrap.
// Everything else (making and unpacking dual tensors) is in tch.
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>

extern "C" {

// Opens a level of forward-mode differentiation; returns its index, or -1 when libtorch refuses (levels do not nest).
int64_t aliascope_enter_dual_level() {
  try {
    return static_cast<int64_t>(torch::autograd::forward_ad::enter_dual_level());
  } catch (...) {
    return -1;
  }
}

// Closes the level and clears the tangents stored at it; returns 0, or -1 when libtorch refuses.
int aliascope_exit_dual_level(int64_t level) {
  try {
    torch::autograd::forward_ad::exit_dual_level(static_cast<uint64_t>(level));
    return 0;
  } catch (...) {
    return -1;
  }
}
}
