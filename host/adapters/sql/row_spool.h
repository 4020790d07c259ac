#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "host/ports/store.h"

namespace host::sql {

/// The rows of one long answer, between the statement that found them and the client that takes
/// them: in memory at first, above 256 KiB in a file without a name, which is gone with its owner
/// or its process. Written first, by add() and close(); then read, page by page.
/// Not thread-safe: one thread at a time.
class RowSpool {
 public:
  /// All spools of a store together; a budget, so that answers cannot fill the disk.
  using Total = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t kMost = std::uint64_t{1} << 30;

  /// The file is made in `folder`.
  RowSpool(std::filesystem::path folder, Total& total);
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  void columns(std::vector<std::string> names) { columns_ = std::move(names); }
  /// Errors: exhausted (above 1 GB; retryable when others' answers take that room), unavailable.
  Result<void> add(const std::vector<SqlValue>& row);
  Result<void> close();

  /// At least one row, and about `max_bytes`. Errors: unavailable.
  Result<ports::RowsPage> next(std::size_t max_bytes);

 private:
  Result<void> flush();
  Result<void> fill(std::size_t wanted);

  const std::filesystem::path folder_;
  Total& total_;
  std::vector<std::string> columns_;
  int file_ = -1;
  std::uint64_t size_ = 0;     // bytes of rows, in file and memory
  std::uint64_t written_ = 0;  // bytes in the file
  std::uint64_t read_ = 0;     // bytes of the file that were read
  std::string buffer_;         // behind what is in the file; while reading: before it
  std::size_t at_ = 0;         // in buffer_
};

}  // namespace host::sql
