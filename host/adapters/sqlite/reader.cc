#include "host/adapters/sqlite/reader.h"

#include <utility>

namespace host::sqlite {

Reader::Reader(std::unique_ptr<Connection> own) : own_(std::move(own)), db_(own_.get()) {
  thread_ = std::thread([this] { loop(); });
}

Reader::Reader(Connection& borrowed, std::recursive_mutex& mutex)
    : db_(&borrowed), db_mutex_(&mutex) {}

Reader::~Reader() { stop(); }

void Reader::submit(Job job) {
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stopped_;
    if (!stopped && db_mutex_ == nullptr) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  if (stopped) {
    job(nullptr);
    return;
  }
  const std::lock_guard lock(*db_mutex_);
  job(db_);
}

void Reader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Reader::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job(db_);
  }
}

}  // namespace host::sqlite
