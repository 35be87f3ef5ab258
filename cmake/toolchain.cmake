# Halide from the wheel under build/venv, LLVM and LLD 19 from Debian.
file(GLOB Halide_DIR ${CMAKE_SOURCE_DIR}/build/venv/lib/python3*/site-packages/halide/lib64/cmake/Halide)
foreach(package Halide_Python PNG JPEG)  # HalideConfig would look for them again
  set(CMAKE_DISABLE_FIND_PACKAGE_${package} ON)
endforeach()
find_package(Halide 21.0.0 EXACT CONFIG REQUIRED)
foreach(package Halide_Python PNG JPEG)
  unset(CMAKE_DISABLE_FIND_PACKAGE_${package})
endforeach()
find_package(LLVM 19.1 CONFIG REQUIRED PATHS /usr/lib/llvm-19/lib/cmake/llvm)
find_package(LLD CONFIG REQUIRED PATHS /usr/lib/llvm-19/lib/cmake/lld)

add_library(convoke_halide INTERFACE)
target_link_libraries(convoke_halide INTERFACE Halide::Halide)

# One precompiled Halide.h for every target that includes it.
file(WRITE ${CMAKE_BINARY_DIR}/halide_header.cc "")
add_library(convoke_halide_header STATIC ${CMAKE_BINARY_DIR}/halide_header.cc)
target_link_libraries(convoke_halide_header PUBLIC convoke_halide)
target_precompile_headers(convoke_halide_header PRIVATE <Halide.h>)

# LLVM and LLD: only codegen/ sees them. The shared LLVM; a static one beside LLD's crashes.
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_library(convoke_llvm INTERFACE)
target_include_directories(convoke_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${LLD_INCLUDE_DIRS})
target_compile_definitions(convoke_llvm INTERFACE ${llvm_definitions})
target_link_libraries(convoke_llvm INTERFACE lldELF lldCommon LLVM ${CMAKE_DL_LIBS})
