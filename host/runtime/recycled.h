#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace host::runtime {

/// An allocator for things that come and go with every message, such as items: each thread keeps
/// the memory of those that it gave up last, which the processor still has at hand, and gives it to
/// the next. Thread-safe: what one thread frees serves that thread.
template <class T>
class Recycled {
 public:
  using value_type = T;

  Recycled() = default;
  template <class U>
  Recycled(const Recycled<U>&) {}  // NOLINT: implicit, as allocators are

  T* allocate(std::size_t count) {
    static_assert(sizeof(T) >= sizeof(Piece) && alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    Kept& kept = kept_;
    if (count != 1 || kept.first == nullptr) {
      return static_cast<T*>(::operator new(count * sizeof(T)));
    }
    --kept.count;
    return reinterpret_cast<T*>(std::exchange(kept.first, kept.first->next));
  }
  void deallocate(T* memory, std::size_t count) {
    Kept& kept = kept_;
    if (count != 1 || kept.count == kMost) return ::operator delete(memory);
    ++kept.count;
    kept.first = new (memory) Piece{kept.first};
  }

  bool operator==(const Recycled&) const { return true; }

 private:
  static constexpr std::size_t kMost = 1'000;  // pieces a thread

  struct Piece {
    Piece* next;
  };
  struct Kept {
    Piece* first = nullptr;
    std::size_t count = 0;
    ~Kept() {
      while (first != nullptr) ::operator delete(std::exchange(first, first->next));
      count = kMost;  // what this thread frees from here on is not kept
    }
  };
  static inline thread_local Kept kept_;
};

}  // namespace host::runtime
