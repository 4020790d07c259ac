#include "host/script/watchdog.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "host/base/check.h"
#include "host/script/interrupt.h"

namespace host::script {

struct TurnSlot {
  pthread_t thread{};
  clockid_t cpu_clock{};
  std::atomic<std::uint64_t> turn{0};     // odd: one is running
  std::atomic<std::uint64_t> stopped{0};  // the turn that must end
  std::atomic<lua_State*> state{nullptr};
  std::atomic<bool> compiled{false};
  std::atomic<std::int64_t> budget_us{0};
  std::atomic<std::int64_t> used_budget_us{0};  // what the watchdog applied, for the message
  std::atomic<const char*> plugin{""};
  std::atomic<const char*> handler{""};
  // Of the thread itself.
  lua_Hook callback = nullptr;
  std::atomic<bool> armed{false};
  // Of the watchdog.
  std::uint64_t seen_turn = 0;
  std::int64_t seen_cpu_us = 0;
};

namespace {

constexpr auto kTick = std::chrono::milliseconds(10);
constexpr auto kIdleTick = std::chrono::milliseconds(25);
constexpr auto kRefire = std::chrono::milliseconds(2);
constexpr int kExitRunaway = 70;

int stop_signal() { return SIGRTMIN + 3; }

// Every thread that runs scripts. A slot leaves the list before its thread ends, so that no signal
// is sent to a thread that is gone.
std::mutex g_slots_mutex;
std::vector<TurnSlot*> g_slots;

thread_local TurnSlot* t_slot = nullptr;

class ThreadSlot {
 public:
  ThreadSlot() {
    slot_.thread = pthread_self();
    pthread_getcpuclockid(slot_.thread, &slot_.cpu_clock);
    t_slot = &slot_;
    const std::lock_guard lock(g_slots_mutex);
    g_slots.push_back(&slot_);
  }
  ~ThreadSlot() {
    const std::lock_guard lock(g_slots_mutex);
    std::erase(g_slots, &slot_);
    t_slot = nullptr;
  }
  TurnSlot& get() { return slot_; }

 private:
  TurnSlot slot_;
};

TurnSlot& slot_of_this_thread() {
  thread_local ThreadSlot slot;
  return slot.get();
}

std::int64_t cpu_us(clockid_t clock) {
  timespec t{};
  if (clock_gettime(clock, &t) != 0) return 0;
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

void on_stop_signal(int) {
  TurnSlot* slot = t_slot;
  if (slot == nullptr) return;
  const std::uint64_t turn = slot->turn.load(std::memory_order_relaxed);
  if (turn % 2 == 0 || slot->stopped.load(std::memory_order_relaxed) != turn) return;
  slot->armed.store(true, std::memory_order_relaxed);
  lua_State* L = slot->state.load(std::memory_order_relaxed);
  if (slot->compiled.load(std::memory_order_relaxed)) {
    interrupt::arm(L, slot->callback);
  } else {
    // It would look by itself, but not where its stack is so full that no hook has room.
    interrupt::look_always(L, slot->callback);
  }
}

}  // namespace

Watchdog::Watchdog(Options options, ports::Logger& logger)
    : options_(std::move(options)), logger_(logger) {
  if (interrupt::method() != interrupt::Method::profile_bit) {
    logger_.log(ports::LogLevel::warn,
                "scripts run without the JIT compiler: running ones could not be stopped otherwise",
                {{"reason", interrupt::reason()}});
  }
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(stop_signal(), &action, nullptr);
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::run() {
  auto tick = std::chrono::milliseconds(kIdleTick);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, tick);
    bool cutting = false;
    bool running = false;
    const std::lock_guard slots_lock(g_slots_mutex);
    for (TurnSlot* slot : g_slots) {
      running = running || slot->turn % 2 == 1;
      cutting = look(*slot) || cutting;
    }
    tick = cutting ? kRefire : running ? kTick : kIdleTick;
  }
}

// Whether a turn of this thread is being cut.
bool Watchdog::look(TurnSlot& slot) {
  const std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
  if (turn % 2 == 0) return false;
  if (turn != slot.seen_turn) {
    slot.seen_turn = turn;
    slot.seen_cpu_us = cpu_us(slot.cpu_clock);
    return false;
  }
  const std::int64_t used = cpu_us(slot.cpu_clock) - slot.seen_cpu_us;
  std::int64_t budget = slot.budget_us.load(std::memory_order_relaxed);
  if (budget == 0) budget = options_.turn.count();
  if (used < budget) return false;
  if (used >= std::max(options_.deadline.count(), budget)) end_process(slot);
  if (slot.stopped.load(std::memory_order_relaxed) != turn) {
    slot.used_budget_us.store(budget, std::memory_order_relaxed);
    slot.stopped.store(turn, std::memory_order_release);
    ++cuts_;
  }
  pthread_kill(slot.thread, stop_signal());
  return true;
}

void Watchdog::end_process(TurnSlot& slot) {
  const std::string plugin = slot.plugin.load();
  const std::string handler = slot.handler.load();
  logger_.log(ports::LogLevel::error,
              "a handler could not be stopped: the process ends, or all others would wait for it",
              {{"plugin", plugin}, {"handler", handler}});
  if (options_.fatal) {
    options_.fatal(plugin, handler);
  } else {
    _exit(kExitRunaway);
  }
}

Turn::Turn(LuaState& state, const char* plugin, const char* handler, Duration budget)
    : state_(state), slot_(slot_of_this_thread()) {
  const std::uint64_t turn = slot_.turn.load(std::memory_order_relaxed);
  HOST_DCHECK(turn % 2 == 0, "turns do not nest");
  slot_.state.store(state.get(), std::memory_order_relaxed);
  slot_.compiled.store(state.jit(), std::memory_order_relaxed);
  slot_.budget_us.store(budget.count(), std::memory_order_relaxed);
  slot_.plugin.store(plugin, std::memory_order_relaxed);
  slot_.handler.store(handler, std::memory_order_relaxed);
  slot_.callback = &LuaState::interrupted;
  state_.turn_ = this;
  slot_.turn.store(turn + 1, std::memory_order_release);
}

Turn::~Turn() {
  const bool stopped = must_stop();
  slot_.turn.fetch_add(1, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  state_.turn_ = nullptr;
  if (!slot_.armed.exchange(false, std::memory_order_relaxed) && !stopped) return;
  if (state_.jit()) {
    interrupt::disarm(state_.get(), &LuaState::interrupted);
  } else {
    interrupt::look_sometimes(state_.get(), &LuaState::interrupted);
  }
}

bool Turn::must_stop() const {
  return slot_.stopped.load(std::memory_order_relaxed) ==
         slot_.turn.load(std::memory_order_relaxed);
}

std::string Turn::stop_message() const {
  return "stopped after " + format_duration(Duration{slot_.used_budget_us.load()}) +
         " of CPU time in one turn (a long computation calls ctx:yield() between its parts)";
}

}  // namespace host::script
