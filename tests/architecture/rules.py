"""The layers of the project, as data. check.py holds the tree to them.

A folder may include its own headers, those of the folders that LAYERS names for it, the standard
library, and the third-party headers that THIRD_PARTY grants it. The longest matching name wins,
both for folders and for headers.
"""

# folder -> folders whose headers it may include
LAYERS = {
    "host/base": [],
    "host/core": ["host/base"],
    "host/ports": ["host/core", "host/base"],
    "host/runtime": ["host/ports", "host/core", "host/base"],
    "host/script": ["host/ports", "host/core", "host/base"],
    # What every store adapter keeps newer than its tables: values and bytes, no database.
    "host/adapters/journal": ["host/ports", "host/core", "host/base"],
    # What the SQL of plugins is in every store: texts, parameters, answers, no database.
    "host/adapters/sql": ["host/adapters/journal", "host/ports", "host/core", "host/base"],
    "host/adapters/sqlite": ["host/adapters/journal", "host/adapters/sql", "host/ports",
                             "host/core", "host/base"],
    "host/adapters/postgres": ["host/adapters/journal", "host/adapters/sql", "host/ports",
                               "host/core", "host/base"],
    "host/adapters/kafka": ["host/ports", "host/core", "host/base"],
    "host/adapters/web": ["host/ports", "host/core", "host/base"],
    "host/adapters/telemetry": ["host/ports", "host/core", "host/base"],
    "host/adapters/files": ["host/ports", "host/core", "host/base"],
    "host/adapters/tokens": ["host/ports", "host/core", "host/base"],
    # Bindings log and count for scripts: the ports' headers for that name no library.
    "bindings": ["host/script", "host/ports", "host/core", "host/base"],
    # The composition root is the one place that knows everybody.
    "host/app": ["host", "bindings"],
    "tests": ["host", "bindings"],
}

# header, or the beginning of its path -> folders that may include it
THIRD_PARTY = {
    "lua.h": ["host/script", "bindings"],
    "lua.hpp": ["host/script", "bindings"],
    "luajit.h": ["host/script", "bindings"],
    "lauxlib.h": ["host/script", "bindings"],
    "lualib.h": ["host/script", "bindings"],
    "simdjson.h": ["host/script"],
    "soci/": ["host/adapters/sqlite", "host/adapters/postgres"],
    "libpq": ["host/adapters/postgres"],
    "sqlite3.h": ["host/adapters/sqlite"],
    "librdkafka/": ["host/adapters/kafka"],
    "lz4": ["host/adapters/journal"],
    "boost/beast": ["host/adapters/web"],
    # A lane is an io_context; the server's connections live on it.
    "boost/asio": ["host/runtime", "host/adapters/web", "host/app"],
    "boost/container": ["host/runtime"],
    "boost/": ["host/adapters/web"],
    "spdlog/": ["host/adapters/telemetry"],
    "fmt/": ["host/adapters/telemetry"],
    "prometheus/": ["host/adapters/telemetry"],
    "nlohmann/": ["host/script", "bindings", "host/app", "host/adapters/sqlite",
                  "host/adapters/tokens"],
    "openssl/": ["host/base", "host/adapters/web"],
    "CLI/": ["host/app"],
    "catch2/": ["tests"],
}
# Tests may look behind every port.
FREE_OF_THIRD_PARTY_RULES = ["tests"]

# What talks to the system; base, core, ports and bindings stay portable values and interfaces.
POSIX = ["host/adapters", "host/app", "host/runtime", "host/script", "tests"]

# What would tie the tree to one machine, or was never meant to stay: (why, pieces of a regular expression). The pieces are
# joined here, so that this file does not name what it forbids.
FORBIDDEN_TEXT = [
    ("a merge that was not finished", [r"^(?:<{7}|>{7}) "]),
    ("a path of one machine",
     [r"(?<![\w./~*$}-])/(?:", "|".join(["home", "work", "Users", "mnt", "root"]), r")/[\w.-]"]),
    ("a folder outside the repository", [r"\.\./", "shared", r"\b"]),
]
SKIPPED_FOLDERS = {".git", "build", "data", "data-demo", "__pycache__", ".cache", ".vscode"}

STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono
cinttypes climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp
csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception
execution filesystem forward_list fstream functional future initializer_list iomanip ios iosfwd
iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers
numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
source_location span sstream stack stdexcept stop_token streambuf string string_view strstream
syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set
utility valarray variant vector version
""".split())
POSIX_HEADERS = set("""
arpa/inet.h dirent.h dlfcn.h fcntl.h glob.h grp.h net/if.h netdb.h netinet/in.h netinet/tcp.h poll.h
pthread.h pwd.h sched.h signal.h spawn.h sys/epoll.h sys/eventfd.h sys/file.h sys/inotify.h sys/mman.h
sys/prctl.h sys/random.h sys/resource.h sys/select.h sys/signalfd.h sys/socket.h sys/stat.h
sys/statvfs.h sys/syscall.h sys/time.h sys/timerfd.h sys/types.h sys/uio.h sys/un.h sys/wait.h
syslog.h termios.h time.h ucontext.h unistd.h sys/ioctl.h errno.h execinfo.h
""".split())
