#pragma once

#include <cstddef>
#include <memory>

namespace host::web {

/// The bytes that came and are not parsed yet. A small one without bytes has no memory of its
/// own: what the connection before it read into is still in the processor's caches. Only on its
/// lane.
class ReadBuffer {
 public:
  static constexpr std::size_t kSmall = 4096;
  static constexpr std::size_t kLarge = 64 * 1024;

  const char* data() const { return bytes_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  /// Room for at least `wanted` bytes behind the others; commit() says how many came.
  char* prepare(std::size_t wanted);
  std::size_t room() const { return capacity_ - end_; }
  void commit(std::size_t n) { end_ += n; }
  void consume(std::size_t n);
  void clear();

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace host::web
