# The module graph of hotjit is stated here and nowhere else: every module says
#
#   hotjit_add_library(Diff Diff.cpp Types.cpp DEPENDS Compile Image)
#
# and may include headers of the modules it DEPENDS on (and of what those
# depend on). scripts/check-layering reads these lines.

# LLVM's folder of headers is libc++abi's and libunwind's too, where those are
# installed; seen by our compiler, they would hide its own.
set(llvm_headers ${PROJECT_BINARY_DIR}/llvm-headers)
file(MAKE_DIRECTORY ${llvm_headers})
foreach(folder IN LISTS LLVM_INCLUDE_DIRS CLANG_INCLUDE_DIRS)
  foreach(name llvm llvm-c clang clang-c)
    if(EXISTS ${folder}/${name} AND NOT EXISTS ${llvm_headers}/${name})
      file(CREATE_LINK ${folder}/${name} ${llvm_headers}/${name} SYMBOLIC)
    endif()
  endforeach()
endforeach()

add_library(hotjit_flags INTERFACE)
target_include_directories(hotjit_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/include)
target_include_directories(hotjit_flags SYSTEM INTERFACE ${llvm_headers})
separate_arguments(_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(hotjit_flags INTERFACE ${_llvm_definitions})
target_compile_options(hotjit_flags INTERFACE
  -Wall -Wextra -Wno-unused-parameter -fno-semantic-interposition
  -ffunction-sections -fdata-sections
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
if(HOTJIT_SANITIZER)
  target_compile_options(hotjit_flags INTERFACE
    -fsanitize=${HOTJIT_SANITIZER} -fno-omit-frame-pointer)
  target_link_options(hotjit_flags INTERFACE -fsanitize=${HOTJIT_SANITIZER})
endif()

# hotjit_add_library(<Module> <sources>... [DEPENDS <Module>...])
# Defines the static library hotjit<Module>.
function(hotjit_add_library module)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  add_library(hotjit${module} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(hotjit${module} PUBLIC hotjit_flags)
  foreach(dependency IN LISTS ARG_DEPENDS)
    target_link_libraries(hotjit${module} PUBLIC hotjit${dependency})
  endforeach()
endfunction()

# hotjit_link_llvm(<target> <component>...): LLVM's static archives.
# llvm-config lists Polly, which Debian builds but does not install; it is
# left out here and Support/NoPolly.cpp gives the one symbol that is missing.
function(hotjit_link_llvm target)
  llvm_map_components_to_libnames(libs ${ARGN})
  list(FILTER libs EXCLUDE REGEX "Polly")
  target_link_libraries(${target} PUBLIC ${libs})
endfunction()
