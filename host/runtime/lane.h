#pragma once

#include <memory>

#include "host/base/executor.h"

namespace boost::asio {
class io_context;
}

namespace host::runtime {

/// One thread with its own event loop. Whole shards, one engine a plugin, and the connections that
/// it accepted live on it, touched by it alone. start() begins, stop() ends the loop after the
/// work that runs and joins; what is still queued is dropped. post() and post_after() are
/// thread-safe; cancel() only on the lane.
class Lane final : public Executor {
 public:
  explicit Lane(int number);
  ~Lane() override;

  void start();
  void stop();

  void post(UniqueFunction<void()> work) override;
  TimerId post_after(Duration delay, UniqueFunction<void()> work) override;
  void cancel(TimerId id) override;

  int number() const;
  bool here() const;  // whether the caller runs on this lane
  boost::asio::io_context& io();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace host::runtime
