#include "host/adapters/postgres/worker.h"

#include <algorithm>
#include <utility>

namespace host::postgres {
namespace {

constexpr Duration kFirstDistance = std::chrono::milliseconds(50);
constexpr Duration kLongestDistance = std::chrono::seconds(1);

}  // namespace

Worker::Worker(Settings settings) : settings_(std::move(settings)) {
  thread_ = std::thread([this] { loop(); });
}

Worker::~Worker() { stop(); }

bool Worker::no_time() const {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void Worker::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      queue_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  const Error error = retryable_error(Error::Code::unavailable, "the store is stopped");
  job(nullptr, &error);
}

void Worker::stop() {
  {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, settings_.stop_within, [this] { return done_; })) {
      cut_ = true;
      if (db_) db_->cut();
    }
  }
  if (thread_.joinable()) thread_.join();
}

void Worker::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty()) {
        done_ = true;
        changed_.notify_all();
        return;
      }
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    Connection* db = connection();
    job(db, db == nullptr ? &*why_ : nullptr);
    if (db != nullptr) db->rollback();
  }
}

Connection* Worker::connection() {
  if (db_ && db_->still_there()) return db_.get();
  if (db_) {
    const std::lock_guard lock(mutex_);
    db_.reset();
  }
  if (no_time()) {
    why_ = retryable_error(Error::Code::unavailable, "the store is stopped");
    return nullptr;
  }
  if (why_ && Steady::now() < again_) return nullptr;
  try {
    connect();
    why_.reset();
    distance_ = {};
    return db_.get();
  } catch (const Failure& failure) {
    why_ = to_error(failure, "the database is away");
    // Whatever the reason is, a running host goes on trying: it is mended over there.
    why_->retryable = true;
    why_->code = Error::Code::unavailable;
    if (settings_.health != nullptr) settings_.health->set_reachable(why_->to_string());
    if (settings_.logger != nullptr && distance_ == Duration{}) {
      settings_.logger->log(ports::LogLevel::warn, why_->to_string());
    }
    distance_ = std::clamp(2 * distance_, kFirstDistance, kLongestDistance);
    again_ = Steady::now() + distance_;
    return nullptr;
  }
}

void Worker::connect() {
  auto db = std::make_unique<Connection>(settings_.where, settings_.limits, settings_.schema);
  // A plan is kept from when its table was small: ours are by key, however large a table gets.
  db->run_once("set enable_seqscan = off");
  // Its price for a scan that cannot be avoided would have the server compile the statement, for
  // hundreds of milliseconds.
  db->run_once("set jit = off");
  const std::lock_guard lock(mutex_);
  db_ = std::move(db);
}

}  // namespace host::postgres
