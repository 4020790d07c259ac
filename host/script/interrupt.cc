#include "host/script/interrupt.h"

#include <luajit.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace host::script::interrupt {
namespace {

// lj_obj.h: the profiler's bit of hookmask; lua_State holds its global_State here (GC64).
constexpr unsigned char kProfileBit = 0x80;
constexpr std::size_t kGlobalOffset = 0x10;
constexpr std::size_t kScanned = 1024;
// Instructions between two looks where the hook must look by itself.
constexpr int kCountHookEvery = 1000;

std::ptrdiff_t g_mask_offset = -1;

unsigned char* hook_mask(lua_State* L) {
  char* global;
  std::memcpy(&global, reinterpret_cast<char*>(L) + kGlobalOffset, sizeof(global));
  return reinterpret_cast<unsigned char*>(global) + g_mask_offset;
}

// Copies memory that may not be readable: the kernel answers EFAULT instead of a fault.
bool read_safely(const char* from, std::vector<unsigned char>& into) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return false;
  const bool ok = write(ends[1], from, into.size()) == static_cast<ssize_t>(into.size()) &&
                  read(ends[0], into.data(), into.size()) == static_cast<ssize_t>(into.size());
  close(ends[0]);
  close(ends[1]);
  return ok;
}

void no_hook(lua_State*, lua_Debug*) {}

// The one byte of the global state that follows every mask that lua_sethook sets, or -1.
std::ptrdiff_t find_mask(lua_State* L) {
  char* global;
  std::memcpy(&global, reinterpret_cast<char*>(L) + kGlobalOffset, sizeof(global));
  std::vector<bool> candidate(kScanned, true);
  for (const int mask : {LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKCALL | LUA_MASKRET, 0,
                         LUA_MASKCOUNT | LUA_MASKCALL, LUA_MASKRET}) {
    lua_sethook(L, mask != 0 ? no_hook : nullptr, mask, mask != 0 ? 1'000'000 : 0);
    std::vector<unsigned char> bytes(kScanned);
    const bool readable = read_safely(global, bytes);
    lua_sethook(L, nullptr, 0, 0);
    if (!readable) return -1;
    for (std::size_t i = 0; i < kScanned; ++i) {
      if (bytes[i] != mask) candidate[i] = false;
    }
  }
  std::ptrdiff_t found = -1;
  for (std::size_t i = 0; i < kScanned; ++i) {
    if (!candidate[i]) continue;
    if (found >= 0) return -1;
    found = static_cast<std::ptrdiff_t>(i);
  }
  return found;
}

// One state owns the process-wide profiler and its timer never runs: other states then only
// compile the test of the mask into their traces.
void take_profiler() {
  static lua_State* owner = luaL_newstate();
  if (owner == nullptr) return;
  luaJIT_profile_start(
      owner, "i1000000", [](void*, lua_State*, int, int) {}, nullptr);
  const itimerval never{};
  setitimer(ITIMER_PROF, &never, nullptr);
  std::signal(SIGPROF, SIG_IGN);
}

// The self-test: a compiled loop that would end by itself, cut by the signal.
constexpr const char* kTestLoop = "local x = 0 for i = 1, 3e9 do x = x + i % 7 end return x";
thread_local lua_State* t_tested = nullptr;

void raise_in_test(lua_State* L, lua_Debug*) { luaL_error(L, "cut"); }

bool self_test(int signal_number) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {
    if (t_tested != nullptr) arm(t_tested, raise_in_test);
  };
  action.sa_flags = SA_RESTART;
  sigaction(signal_number, &action, &before);

  lua_State* L = luaL_newstate();
  if (L == nullptr) return false;
  luaL_openlibs(L);
  luaJIT_profile_start(L, "l", nullptr, nullptr);
  bool cut = false;
  if (luaL_loadbuffer(L, kTestLoop, std::strlen(kTestLoop), "=test") == 0) {
    std::atomic<bool> over{false};
    t_tested = L;
    std::thread killer([&over, signal_number, target = pthread_self()] {
      while (!over) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        pthread_kill(target, signal_number);
      }
    });
    cut = lua_pcall(L, 0, 0, 0) == LUA_ERRRUN;
    over = true;
    killer.join();
    t_tested = nullptr;
    disarm(L, raise_in_test);
    lua_settop(L, 0);
    cut = cut &&
          luaL_dostring(L, "local s = 0 for i = 1, 200 do s = s + i end assert(s == 20100)") == 0;
  }
  lua_close(L);
  sigaction(signal_number, &before, nullptr);
  return cut;
}

struct Found {
  Method method = Method::count_hook;
  std::string reason;
};

#ifdef __SANITIZE_THREAD__
constexpr bool kSignalsAreLate = true;  // the thread sanitizer delays them
#else
constexpr bool kSignalsAreLate = false;
#endif

Found find() {
  if (kSignalsAreLate) return {Method::count_hook, "the thread sanitizer delays signals"};
  lua_State* L = luaL_newstate();
  if (L == nullptr) return {Method::count_hook, "no memory for the self-test"};
  g_mask_offset = find_mask(L);
  lua_close(L);
  if (g_mask_offset < 0) return {Method::count_hook, "this LuaJIT's hook mask was not found"};
  take_profiler();
  if (!self_test(SIGRTMIN + 4)) return {Method::count_hook, "the self-test loop was not cut"};
  return {Method::profile_bit, ""};
}

const Found& found() {
  static const Found f = find();
  return f;
}

}  // namespace

Method method() { return found().method; }
const std::string& reason() { return found().reason; }

void prepare(lua_State* L, bool jit, Callback callback) {
  if (jit && method() == Method::profile_bit) {
    luaJIT_profile_start(L, "l", nullptr, nullptr);
    return;
  }
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  look_sometimes(L, callback);
}

void look_always(lua_State* L, Callback callback) { lua_sethook(L, callback, LUA_MASKCOUNT, 1); }
void look_sometimes(lua_State* L, Callback callback) {
  lua_sethook(L, callback, LUA_MASKCOUNT, kCountHookEvery);
}

// The order of these steps is the point: the signal may have come in the middle of a change of the
// dispatch table, and only two real changes of its mode are sure to write it anew.
void arm(lua_State* L, Callback callback) {
  if (g_mask_offset < 0) return;
  unsigned char* mask = hook_mask(L);
  __atomic_fetch_and(mask, static_cast<unsigned char>(~kProfileBit), __ATOMIC_RELAXED);
  lua_sethook(L, nullptr, 0, 0);
  __atomic_fetch_or(mask, kProfileBit, __ATOMIC_RELAXED);
  lua_sethook(L, callback, LUA_MASKCOUNT, 1);
}

void disarm(lua_State* L, Callback callback) {
  if (g_mask_offset < 0) return;
  unsigned char* mask = hook_mask(L);
  __atomic_fetch_or(mask, kProfileBit, __ATOMIC_RELAXED);
  lua_sethook(L, callback, LUA_MASKCOUNT, 1);
  __atomic_fetch_and(mask, static_cast<unsigned char>(~kProfileBit), __ATOMIC_RELAXED);
  lua_sethook(L, nullptr, 0, 0);
}

}  // namespace host::script::interrupt
