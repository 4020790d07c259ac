#include "host/adapters/sql/row_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace host::sql {
namespace {

constexpr std::size_t kInMemory = 256u << 10;

enum class Tag : char { null, integer, number, text };

void put(std::string& out, const void* bytes, std::size_t n) {
  out.append(static_cast<const char*>(bytes), n);
}

void put_value(std::string& out, const SqlValue& value) {
  const auto tag = [&out](Tag t) { out += static_cast<char>(t); };
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    tag(Tag::integer);
    put(out, whole, sizeof *whole);
  } else if (const auto* number = std::get_if<double>(&value)) {
    tag(Tag::number);
    put(out, number, sizeof *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    tag(Tag::text);
    const auto size = static_cast<std::uint32_t>(text->size());
    put(out, &size, sizeof size);
    out += *text;
  } else {
    tag(Tag::null);
  }
}

/// What put_value() wrote, from memory that this process wrote itself.
class RowReader {
 public:
  explicit RowReader(std::string_view bytes) : rest_(bytes) {}
  SqlValue value() {
    switch (static_cast<Tag>(take(1).front())) {
      case Tag::null:
        return {};
      case Tag::integer:
        return number<std::int64_t>();
      case Tag::number:
        return number<double>();
      case Tag::text:
        break;
    }
    return std::string(take(number<std::uint32_t>()));
  }

 private:
  template <class T>
  T number() {
    T out;
    std::memcpy(&out, take(sizeof out).data(), sizeof out);
    return out;
  }
  std::string_view take(std::size_t n) {
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  std::string_view rest_;
};

int unnamed_file(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  // Not every file system has it.
  std::string name = (folder / "rows-XXXXXX").string();
  const int made = ::mkostemp(name.data(), O_CLOEXEC);
  if (made >= 0) ::unlink(name.c_str());
  return made;
}

Error failed(const char* what, const std::filesystem::path& folder) {
  const char* const why = std::strerror(errno);
  return retryable_error(
      Error::Code::unavailable,
      std::string(what) + " a long answer in a file of " + folder.string() + ": " + why);
}

}  // namespace

RowSpool::RowSpool(std::filesystem::path folder, Total& total)
    : folder_(std::move(folder)), total_(total) {}

RowSpool::~RowSpool() {
  if (file_ >= 0) ::close(file_);
  total_ -= size_;
}

Result<void> RowSpool::add(const std::vector<SqlValue>& row) {
  std::string bytes;
  for (const SqlValue& value : row) put_value(bytes, value);
  const auto length = static_cast<std::uint32_t>(bytes.size());
  const std::uint64_t n = bytes.size() + sizeof length;
  size_ += n;
  if (total_.fetch_add(n) + n > kMost) {
    const bool alone = size_ > kMost;
    Error error = make_error(Error::Code::exhausted,
                             alone ? "the answer is larger than 1 GB"
                                   : "long answers that are being sent take 1 GB already",
                             alone ? "ask for less at once" : "try again when they are sent");
    error.retryable = !alone;
    return error;
  }
  put(buffer_, &length, sizeof length);
  buffer_ += bytes;
  return buffer_.size() > kInMemory ? flush() : Result<void>{};
}

Result<void> RowSpool::flush() {
  if (file_ < 0) file_ = unnamed_file(folder_);
  if (file_ < 0) return failed("keeping", folder_);
  for (std::size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(file_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("keeping", folder_);
    done += static_cast<std::size_t>(n);
  }
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

/// What is small stays in memory.
Result<void> RowSpool::close() { return file_ < 0 ? Result<void>{} : flush(); }

/// Makes `wanted` bytes of the buffer readable; fewer only where the rows end.
Result<void> RowSpool::fill(std::size_t wanted) {
  if (buffer_.size() - at_ >= wanted) return {};
  buffer_.erase(0, at_);
  at_ = 0;
  while (buffer_.size() < wanted && read_ < written_) {
    const std::size_t before = buffer_.size();
    const auto left = static_cast<std::size_t>(written_ - read_);
    const std::size_t room = std::min(std::max(wanted - before, kInMemory), left);
    buffer_.resize(before + room);
    const ssize_t n = ::pread(file_, buffer_.data() + before, room, static_cast<off_t>(read_));
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("reading", folder_);
    read_ += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<ports::RowsPage> RowSpool::next(std::size_t max_bytes) {
  ports::RowsPage page;
  page.rows.columns = columns_;
  for (std::size_t taken = 0; taken < max_bytes;) {
    std::uint32_t length = 0;
    if (Result<void> there = fill(sizeof length); !there) return there.error();
    if (buffer_.size() - at_ < sizeof length) break;
    std::memcpy(&length, buffer_.data() + at_, sizeof length);
    if (Result<void> there = fill(sizeof length + length); !there) return there.error();
    RowReader reader(std::string_view(buffer_).substr(at_ + sizeof length, length));
    std::vector<SqlValue>& row = page.rows.rows.emplace_back();
    for (std::size_t i = 0; i < columns_.size(); ++i) row.push_back(reader.value());
    at_ += sizeof length + length;
    taken += length + 1;
  }
  page.last = read_ == written_ && at_ == buffer_.size();
  return page;
}

}  // namespace host::sql
