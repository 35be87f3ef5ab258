# convoke_library(NAME [HALIDE] [DEPENDS …]): a static library of the .cc files of this folder. HALIDE: they include Halide.h,
# through a precompiled header.
function(convoke_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HALIDE" "" "DEPENDS;SOURCES")
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.cc)
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
  if(arg_HALIDE)
    target_link_libraries(${name} PUBLIC convoke_halide)
    target_precompile_headers(${name} REUSE_FROM convoke_halide_header)
  endif()
endfunction()

# convoke_test(NAME [HALIDE] [DEPENDS …] [LABELS …] [ARGUMENTS …]): a doctest program of the .cc files of this folder, one CTest
# entry that is run with these arguments.
function(convoke_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HALIDE" "" "DEPENDS;SOURCES;LABELS;ARGUMENTS")
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.cc)
  endif()
  add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/main.cc)
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  target_compile_definitions(${name} PRIVATE CONVOKE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CONVOKE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(arg_HALIDE)
    target_link_libraries(${name} PRIVATE convoke_halide)
    target_precompile_headers(${name} REUSE_FROM convoke_halide_header)
  endif()
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGUMENTS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  # Programs that compile share their kernels, apart from the user's.
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" ENVIRONMENT "XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/cache")
endfunction()
