# LLVM and Clang, as static archives that go into one library whole.
find_package(LLVM 22.1 REQUIRED CONFIG)
find_package(Clang REQUIRED CONFIG HINTS ${LLVM_DIR}/../clang)
# Debian links Clang's archives against libLLVM.so; ours must be one library with
# everything inside, so they get LLVM's archives instead. And LLVM's archives
# name Polly's, which Debian does not install.
add_library(hotjit_llvm_of_clang INTERFACE)
llvm_map_components_to_libnames(llvm_of_clang
  Coverage FrontendDriver FrontendHLSL FrontendOffloading FrontendOpenMP LTO
  Option Passes ProfileData Support TargetParser WindowsDriver)
target_link_libraries(hotjit_llvm_of_clang INTERFACE ${llvm_of_clang})
foreach(library IN LISTS CLANG_EXPORTED_TARGETS LLVM_AVAILABLE_LIBS)
  if(NOT TARGET ${library})
    continue()
  endif()
  get_target_property(needs ${library} INTERFACE_LINK_LIBRARIES)
  if(needs)
    list(TRANSFORM needs REPLACE "^LLVM$" hotjit_llvm_of_clang)
    list(FILTER needs EXCLUDE REGEX "Polly")
    set_target_properties(${library} PROPERTIES
      INTERFACE_LINK_LIBRARIES "${needs}")
  endif()
endforeach()
