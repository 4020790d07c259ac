# mimalloc: most of what a message costs beside the codec is memory. With the C library's malloc the
# engine bench took 13.1 us of CPU a message, with this one 10.7 (November 2026, 20,000 states).
# Only programs link it, so that the sanitizers keep their own.
add_library(host_allocator INTERFACE)
if(NOT HOST_SANITIZE)
  find_package(mimalloc 2.0 REQUIRED)
  # No symbol of it is asked for by name: it takes the place of malloc and operator new.
  target_link_libraries(host_allocator INTERFACE
    -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
endif()
