#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace host::app {

/// The signals of the process, on a thread of its own: SIGTERM and SIGINT ask to stop, a second
/// one ends the process at once; SIGHUP asks to reload. Made before every other thread, so that
/// all of them inherit the mask. One in a process.
class Signals {
 public:
  struct Handlers {
    std::function<void()> stop;    // called once, on the signal thread
    std::function<void()> reload;  // on the signal thread
  };

  explicit Signals(Handlers handlers);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  void run();

  const Handlers handlers_;
  std::atomic<bool> leaving_{false};
  std::thread thread_;
};

}  // namespace host::app
