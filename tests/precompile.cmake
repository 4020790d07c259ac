# test_precompile(DIRECTORY...): what is compiled there, and below, begins with headers that are compiled
# once, for Catch2 alone takes two seconds a file. The same compile options hold there as here.
function(test_precompile)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc CONTENT "// Its headers are all there is.\n")
  add_library(test_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_precompile_headers(test_headers PRIVATE
    <algorithm> <array> <atomic> <catch2/catch.hpp> <chrono> <condition_variable> <cstdint> <cstring>
    <deque> <functional> <map> <memory> <mutex> <optional> <set> <string> <string_view> <thread>
    <unordered_map> <utility> <variant> <vector>)
  set(directories ${ARGV})
  while(directories)
    list(POP_FRONT directories directory)
    get_property(below DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
    list(APPEND directories ${below})
    get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS targets)
      get_target_property(type ${target} TYPE)
      if(type MATCHES "STATIC_LIBRARY|EXECUTABLE")
        target_precompile_headers(${target} REUSE_FROM test_headers)
        target_compile_options(${target} PRIVATE -fpch-preprocess)  # for ccache
      endif()
    endforeach()
  endwhile()
endfunction()
