#include "host/adapters/postgres/params.h"

#include <utility>

#include "host/base/check.h"

namespace host::postgres {
namespace {

template <class T>
void put(std::string& out, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff));
  }
}

void set(std::string& out, std::size_t at, std::int32_t value) {
  std::string bytes;
  put(bytes, value);
  out.replace(at, bytes.size(), bytes);
}

// An array of one dimension: dimensions, flags, element type, size, lower bound; then each element
// behind its length.
constexpr std::size_t kFlagsAt = 4;
constexpr std::size_t kSizeAt = 12;

}  // namespace

Array::Array(Oid element, std::size_t expected) : element_(element) {
  out_.reserve(20 + expected * 16);
  put(out_, std::int32_t{1});
  put(out_, std::int32_t{0});
  put(out_, static_cast<std::int32_t>(element));
  put(out_, std::int32_t{0});
  put(out_, std::int32_t{1});
}

void Array::add(std::string_view bytes) {
  put(out_, static_cast<std::int32_t>(bytes.size()));
  out_.append(bytes);
  ++count_;
}

void Array::add(std::int64_t value) {
  if (element_ == kInt4) {
    put(out_, std::int32_t{4});
    put(out_, static_cast<std::int32_t>(value));
  } else {
    put(out_, std::int32_t{8});
    put(out_, value);
  }
  ++count_;
}

void Array::add_flag(bool value) {
  put(out_, std::int32_t{1});
  out_.push_back(value ? 1 : 0);
  ++count_;
}

void Array::add_null() {
  put(out_, std::int32_t{-1});
  has_null_ = true;
  ++count_;
}

Oid Array::oid() const {
  switch (element_) {
    case kBytea:
      return kByteaArray;
    case kText:
      return kTextArray;
    case kInt4:
      return kInt4Array;
    case kInt8:
      return kInt8Array;
    case kBool:
      return kBoolArray;
    default:
      HOST_CHECK(false, "an array of a type that is not used");
  }
}

std::string Array::finish() && {
  set(out_, kFlagsAt, has_null_ ? 1 : 0);
  set(out_, kSizeAt, static_cast<std::int32_t>(count_));
  return std::move(out_);
}

void Params::add(std::int64_t value) {
  std::string bytes;
  put(bytes, value);
  own(kInt8, std::move(bytes));
}

void Params::add(std::int32_t value) {
  std::string bytes;
  put(bytes, value);
  own(kInt4, std::move(bytes));
}

void Params::add(Array&& array) {
  const Oid type = array.oid();
  own(type, std::move(array).finish());
}

void Params::add_null(Oid type) {
  types_.push_back(type);
  values_.push_back(nullptr);
  lengths_.push_back(0);
  formats_.push_back(1);
}

void Params::borrow(Oid type, std::string_view value) {
  types_.push_back(type);
  values_.push_back(value.data() == nullptr ? "" : value.data());
  lengths_.push_back(static_cast<int>(value.size()));
  formats_.push_back(1);
  bytes_ += value.size() + 8;
}

void Params::own(Oid type, std::string value) {
  owned_.push_back(std::move(value));  // a deque: the ones before stay where they are
  borrow(type, owned_.back());
}

}  // namespace host::postgres
