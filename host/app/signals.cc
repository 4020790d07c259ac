#include "host/app/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

namespace host::app {
namespace {

// Ends the signal thread, when the destructor sends it; from anybody else it means nothing.
constexpr int kLeave = SIGUSR2;

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, kLeave}) sigaddset(&set, number);
  return set;
}

}  // namespace

Signals::Signals(Handlers handlers) : handlers_(std::move(handlers)) {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write(), no more
  thread_ = std::thread([this] { run(); });
}

Signals::~Signals() {
  leaving_ = true;
  pthread_kill(thread_.native_handle(), kLeave);
  thread_.join();
}

void Signals::run() {
  const sigset_t set = handled();
  bool stopping = false;
  for (;;) {
    int number = 0;
    if (sigwait(&set, &number) != 0) continue;
    if (number == kLeave) {
      if (leaving_) return;
      continue;
    }
    if (number == SIGHUP) {
      handlers_.reload();
    } else if (stopping) {
      _exit(128 + number);
    } else {
      stopping = true;
      handlers_.stop();
    }
  }
}

}  // namespace host::app
