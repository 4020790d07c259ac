# host_embed(TARGET SYMBOL FILE): FILE's bytes inside TARGET, as host_embedded_SYMBOL and
# host_embedded_SYMBOL_end (extern "C" const char[]). The assembler includes the file as it is.
function(host_embed target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_${symbol}.S)
  file(CONFIGURE OUTPUT ${source} CONTENT [[
    .section .rodata
    .global host_embedded_@symbol@
    .global host_embedded_@symbol@_end
host_embedded_@symbol@:
    .incbin "@path@"
host_embedded_@symbol@_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
]] @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${path})
  target_sources(${target} PRIVATE ${source})
endfunction()
