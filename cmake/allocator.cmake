# mimalloc: a message's memory is often freed on another thread than the one that allocated it, and
# the C library's malloc takes half as long again for the same work (docs/benchmarks.md, engine).
# Only programs link it, so that the sanitizers keep their own.
add_library(host_allocator INTERFACE)
if(NOT HOST_SANITIZE)
  find_package(mimalloc 2.0 REQUIRED)
  # No symbol of it is asked for by name: it takes the place of malloc and operator new.
  target_link_libraries(host_allocator INTERFACE
    -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
endif()
