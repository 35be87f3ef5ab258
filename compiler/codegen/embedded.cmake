# The core and convoke-run as objects, per triple, by way of bitcode that is merged and optimised as a whole; and the assembly
# file and table that embed them. Sets `embedded_sources`.
find_program(CONVOKE_CLANG clang++-19 REQUIRED)
find_program(CONVOKE_LLVM_LINK llvm-link-19 REQUIRED)

set(triples x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu)
# check_cpu must run on any CPU of a triple, so the baselines are old.
set(flags_x86_64-unknown-linux-gnu -march=x86-64-v2)
set(flags_aarch64-unknown-linux-gnu -mno-outline-atomics)
set(common_flags -std=c++20 -O2 -ffreestanding -nostdlibinc -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti
  -fno-threadsafe-statics -fno-stack-protector -fno-asynchronous-unwind-tables -ffp-contract=off -Wall -Wextra -Werror)

# merged_object(OUT TRIPLE SOURCE…)
function(merged_object out triple)
  set(parts "")
  foreach(source ${ARGN})
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${source})
    string(REPLACE / . name ${name})
    set(part ${CMAKE_CURRENT_BINARY_DIR}/${triple}.${name}.bc)
    add_custom_command(OUTPUT ${part}
      COMMAND ${CONVOKE_CLANG} --target=${triple} ${flags_${triple}} ${common_flags} -I${CMAKE_SOURCE_DIR} -emit-llvm
        -MD -MF ${part}.d -MT ${part} -c ${source} -o ${part}
      DEPENDS ${source} DEPFILE ${part}.d COMMENT "Bitcode of ${name} for ${triple}" VERBATIM)
    list(APPEND parts ${part})
  endforeach()
  get_filename_component(name ${out} NAME)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CONVOKE_LLVM_LINK} ${parts} -o ${name}.bc
    COMMAND ${CONVOKE_CLANG} --target=${triple} -O2 -fPIC -ffunction-sections -fdata-sections -c ${name}.bc -o ${name}
    DEPENDS ${parts} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} VERBATIM)
endfunction()

file(GLOB core_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtime/core/*.cc)
file(GLOB program_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtime/core/run/*.cc)
list(APPEND program_sources ${CMAKE_CURRENT_SOURCE_DIR}/start/start.cc)

set(assembly ".section .rodata\n")
set(rows "")
set(declarations "")
set(files "")
function(embed symbol path)
  string(APPEND assembly ".global ${symbol}, ${symbol}_end\n.balign 16\n${symbol}:\n.incbin \"${path}\"\n${symbol}_end:\n.byte 0\n")
  string(APPEND declarations "extern \"C\" const char ${symbol}[], ${symbol}_end[];\n")
  set(assembly "${assembly}" PARENT_SCOPE)
  set(declarations "${declarations}" PARENT_SCOPE)
  set(files ${files} ${path} PARENT_SCOPE)
endfunction()
foreach(triple ${triples})
  string(REGEX MATCH "^[a-z0-9_]+" arch ${triple})
  set(row "")
  foreach(part core program)
    set(path ${CMAKE_CURRENT_BINARY_DIR}/${part}.${triple}.o)
    merged_object(${path} ${triple} ${${part}_sources})
    embed(convoke_${part}_${arch} ${path})
    string(APPEND row ", {convoke_${part}_${arch}, convoke_${part}_${arch}_end}")
  endforeach()
  string(APPEND rows "    {\"${triple}\"${row}},\n")
endforeach()
embed(convoke_abi_header ${CMAKE_SOURCE_DIR}/runtime/core/convoke.h)
string(APPEND assembly ".section .note.GNU-stack,\"\",@progbits\n")

file(CONFIGURE OUTPUT embedded.S CONTENT "${assembly}")
configure_file(embedded.cc.in embedded.cc @ONLY)
set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/embedded.S PROPERTIES OBJECT_DEPENDS "${files}")
set(embedded_sources ${CMAKE_CURRENT_BINARY_DIR}/embedded.S ${CMAKE_CURRENT_BINARY_DIR}/embedded.cc)
