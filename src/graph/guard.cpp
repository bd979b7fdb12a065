// An allocator before libtorch's own: large pieces are taken only where so much memory is free.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#if defined(__APPLE__)
#include <malloc/malloc.h>
static size_t usable(void* pointer) { return malloc_size(pointer); }
#else
#include <malloc.h>
static size_t usable(void* pointer) { return malloc_usable_size(pointer); }
#endif

namespace {

// Given what tensors hold, how many more bytes they may; negative where nobody knows.
using Left = int64_t (*)(int64_t held);

Left left = nullptr;
c10::Allocator* base = nullptr;
std::atomic<int64_t> held{0};

// Up to here nobody has to be asked again: memory that tensors once had stays with the process.
constexpr int64_t STEP = int64_t{64} << 20;
std::atomic<int64_t> granted{STEP};

void release(void* pointer) {
  held -= static_cast<int64_t>(usable(pointer));
  base->raw_deleter()(pointer);
}

struct Guard final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    const int64_t limit = INT64_MAX / 2;
    const int64_t wanted = bytes > static_cast<size_t>(limit) ? limit : static_cast<int64_t>(bytes);
    const int64_t now = held.load();
    const int64_t more = now + wanted - granted.load();
    if (more > 0) {
      const int64_t free = left(now);
      if (free >= 0 && more > free) {
        throw std::runtime_error("aliascope-memory " + std::to_string(wanted) + " " + std::to_string(free));
      }
      granted = now + wanted + STEP;
    }
    c10::DataPtr given = base->allocate(bytes);
    if (given.get() == nullptr || given.get() != given.get_context() ||
        !given.compare_exchange_deleter(base->raw_deleter(), &release)) {
      return given;
    }
    held += static_cast<int64_t>(usable(given.get()));
    return given;
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override { base->copy_data(to, from, bytes); }
};

Guard guard;

}  // namespace

// Puts the allocator in place, once; `asked` says how many more bytes tensors may hold.
extern "C" void aliascope_guard_memory(Left asked) {
  c10::Allocator* before = c10::GetCPUAllocator();
  if (base != nullptr || before == nullptr || before->raw_deleter() == nullptr) return;
  left = asked;
  base = before;
  c10::SetCPUAllocator(&guard, UINT8_MAX);
}
