# host_late(TARGET SYMBOL FILE): functions of a shared library that is not linked with the program, but
# loaded when it is needed: for a library that brings many others along and that few processes need.
# FILE names the functions, one a line. Each becomes a jump to its entry of host_late_SYMBOL_slots (void*
# []); until whoever loads the library fills these in, in the order of host_late_SYMBOL_names (texts with
# their zero bytes, the last one empty), they point to host_late_SYMBOL_missing.
function(host_late target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  file(STRINGS ${path} functions REGEX "^[^#]")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  set(names "")
  set(slots "")
  set(jumps "")
  set(at 0)
  foreach(function IN LISTS functions)
    string(APPEND names "    .asciz \"${function}\"\n")
    string(APPEND slots "    .quad host_late_${symbol}_missing\n")
    string(APPEND jumps "JUMP(${function}, host_late_${symbol}_slots + ${at})\n")
    math(EXPR at "${at} + 8")
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/late_${symbol}.S)
  file(CONFIGURE OUTPUT ${source} CONTENT [[
#if defined(__x86_64__)
#define GO(slot) jmp *slot(%rip)
#elif defined(__aarch64__)
#define GO(slot) adrp x16, slot; ldr x16, [x16, :lo12:slot]; br x16
#else
#error "how does this processor jump to an address in memory?"
#endif
#define JUMP(name, slot) .global name; .hidden name; .type name, %function; name: GO(slot); .size name, . - name
    .section .rodata
    .global host_late_@symbol@_names
host_late_@symbol@_names:
@names@    .byte 0
    .data
    .balign 8
    .global host_late_@symbol@_slots
host_late_@symbol@_slots:
@slots@    .text
@jumps@    .section .note.GNU-stack,"",%progbits
]] @ONLY)
  target_sources(${target} PRIVATE ${source})
endfunction()
