#include "host/adapters/sqlite/housekeeper.h"

#include <chrono>
#include <optional>

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/retention.h"

namespace host::sqlite {
namespace {

constexpr int kWorthwhilePages = 1000;  // 4 MB
constexpr auto kLookEvery = std::chrono::milliseconds(100);
constexpr auto kLookForAgedEvery = std::chrono::seconds(1);

}  // namespace

Housekeeper::Housekeeper(std::unique_ptr<Connection> db, Writer& writer, LogIndex& index,
                         Overlays& overlays, const Options& options, const Meters& meters)
    : db_(std::move(db)),
      writer_(writer),
      index_(index),
      overlays_(overlays),
      options_(options),
      meters_(meters) {
  thread_ = std::thread([this] { loop(); });
}

Housekeeper::~Housekeeper() { stop(); }

void Housekeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::loop() {
  using Steady = std::chrono::steady_clock;
  // At once: a process that is killed again and again would never come to it.
  std::optional<Steady::time_point> retained;
  Steady::time_point looked = Steady::now();
  int carried = 0;  // pages of the write-ahead log when it was last carried over
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kLookEvery, [this] { return stopped_; })) return;
    }
    const int pages = writer_.wal_pages();
    if (pages < carried) carried = 0;  // it started over
    if (pages - carried > kWorthwhilePages) {
      checkpoint_wal();
      carried = pages;
    }
    const Steady::time_point now = Steady::now();
    if (now - looked >= kLookForAgedEvery) {
      looked = now;
      say("bringing tables up to date", checkpoint_aged(writer_, overlays_, options_.clock));
    }
    if (options_.retain_every != kForever &&
        (!retained || now - *retained >= options_.retain_every)) {
      retained = now;
      say("retention", retain(writer_, index_, overlays_));
    }
  }
}

void Housekeeper::say(const char* what, const Result<void>& done) {
  if (done || options_.logger == nullptr) return;
  options_.logger->log(ports::LogLevel::warn,
                       what + (" did not get through: " + done.error().to_string()));
}

/// Also brings to the disk what it carried over. SQLite leaves that to the checkpoint that ends the
/// log; that one is the writer's, and commits wait for it.
void Housekeeper::checkpoint_wal() {
  const Measured measured(meters_.checkpoint);
  writer_.carrying();
  const int code =
      sqlite3_wal_checkpoint_v2(db_->native(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  sqlite3_file* file = nullptr;
  if (code == SQLITE_OK &&
      sqlite3_file_control(db_->native(), "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK) {
    // Whether it works or not: the writer's checkpoint syncs, too, and complains.
    (void)file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
  }
  writer_.carried();
  // Busy: the writer is at it itself. Anything else says itself in the writer's health as well.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
    say("carrying over the write-ahead log", to_error(last_failure(db_->native()), "checkpoint"));
  }
}

}  // namespace host::sqlite
