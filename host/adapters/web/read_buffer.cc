#include "host/adapters/web/read_buffer.h"

#include <algorithm>
#include <cstring>

namespace host::web {
namespace {

/// Of kSmall bytes: the one that was given back last.
thread_local std::unique_ptr<char[]> t_spare;

}  // namespace

void ReadBuffer::clear() {
  begin_ = end_ = 0;
  if (capacity_ == kSmall) {
    t_spare = std::move(bytes_);
    capacity_ = 0;
  }
}

char* ReadBuffer::prepare(std::size_t wanted) {
  if (capacity_ > kSmall && size() == 0 && wanted <= kSmall) {  // a large body has passed
    bytes_.reset();
    capacity_ = 0;
    clear();
  }
  if (capacity_ == 0 && wanted <= kSmall && t_spare != nullptr) {
    bytes_ = std::move(t_spare);
    capacity_ = kSmall;
  }
  if (room() < wanted && begin_ > 0) {
    std::memmove(bytes_.get(), data(), size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (room() < wanted) {
    const std::size_t capacity = std::max(end_ + wanted, kSmall);
    // Not make_unique: it would write zeros that recv() writes over.
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (size() > 0) std::memcpy(larger.get(), data(), size());
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }
  return bytes_.get() + end_;
}

void ReadBuffer::consume(std::size_t n) {
  begin_ += n;
  if (begin_ == end_) clear();
}

}  // namespace host::web
