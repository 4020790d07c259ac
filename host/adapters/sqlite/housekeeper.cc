#include "host/adapters/sqlite/housekeeper.h"

#include <chrono>

#include "host/adapters/sqlite/retention.h"

namespace host::sqlite {
namespace {

constexpr int kWorthwhilePages = 1000;  // 4 MB
constexpr auto kLookEvery = std::chrono::milliseconds(100);

}  // namespace

Housekeeper::Housekeeper(std::unique_ptr<Connection> db, Writer& writer, LogIndex& index,
                         Duration retain_every, ports::Logger* logger)
    : db_(std::move(db)),
      writer_(writer),
      index_(index),
      retain_every_(retain_every),
      logger_(logger) {
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
  Steady::time_point retained = Steady::now();
  int carried = 0;  // pages of the write-ahead log when it was last carried over
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kLookEvery, [this] { return stopped_; })) return;
    }
    const int pages = writer_.wal_pages();
    if (pages < carried) carried = 0;  // it started over
    if (pages - carried > kWorthwhilePages) {
      checkpoint();
      carried = pages;
    }
    if (retain_every_ != kForever && Steady::now() - retained >= retain_every_) {
      retained = Steady::now();
      if (const Result<void> done = retain(writer_, index_); !done && logger_ != nullptr) {
        logger_->log(ports::LogLevel::warn,
                     "retention did not get through: " + done.error().to_string());
      }
    }
  }
}

void Housekeeper::checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(db_->native(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Busy: the writer is at it itself. Anything else says itself in the writer's health as well.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && logger_ != nullptr) {
    logger_->log(
        ports::LogLevel::warn,
        to_error(last_failure(db_->native()), "carrying over the write-ahead log").to_string());
  }
}

}  // namespace host::sqlite
