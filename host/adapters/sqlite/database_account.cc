#include <filesystem>
#include <map>
#include <system_error>

#include "host/adapters/sqlite/parts.h"

// What the data folder holds, for metrics.
namespace host::sqlite {
namespace {

/// 0 where it cannot be told: no file in memory, or one that is not there yet.
std::uint64_t size_of(const std::filesystem::path& file) {
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(file, missing);
  return missing ? 0 : size;
}

std::uint64_t free_beside(const std::filesystem::path& dir) {
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(dir, unknown);
  return unknown ? 0 : space.available;
}

std::vector<Account::Journal> journals(const Overlays& overlays, Time now) {
  std::map<std::string, Account::Journal> by_plugin;
  for (const auto& [shard, image] : overlays.all()) {
    if (image.overlay == nullptr) continue;
    Account::Journal& journal = by_plugin[shard.plugin];
    journal.plugin = shard.plugin;
    journal.bytes += image.overlay->tail_bytes();
    if (const std::optional<Time> oldest = image.overlay->oldest()) {
      // What a start has read again is of a time that nobody knows: its time is 0.
      const Duration age = *oldest == Time{} ? Duration::zero() : now - *oldest;
      journal.age = std::max(journal.age, age);
    }
  }
  std::vector<Account::Journal> all;
  for (auto& [plugin, journal] : by_plugin) all.push_back(std::move(journal));
  return all;
}

}  // namespace

Result<Account> Database::account() const {
  Account account;
  if (!parts_->options.in_memory) {
    const std::filesystem::path& dir = parts_->options.dir;
    account.file_bytes = size_of(dir / "host.db");
    account.wal_bytes = size_of(dir / "host.db-wal");
    account.disk_free_bytes = free_beside(dir);
  }
  account.journals = journals(parts_->overlays, parts_->options.clock.now());
  Result<std::vector<Account::Topic>> topics = read_now<std::vector<Account::Topic>>(
      *parts_->reader, "counting the log", [](Connection& db) {
        std::vector<Account::Topic> read;
        Statement rows = db.query(
            "select t.name, sum(p.next - p.start), sum(p.bytes) from host_topic t"
            " join host_topic_partition p on p.topic = t.id group by t.id order by t.name");
        while (rows.step()) read.push_back({rows.bytes(0), rows.integer(1), rows.integer(2)});
        return Result<std::vector<Account::Topic>>(std::move(read));
      });
  if (!topics) return topics.error();
  account.topics = std::move(*topics);
  return account;
}

}  // namespace host::sqlite
