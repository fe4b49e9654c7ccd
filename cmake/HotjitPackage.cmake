# What `cmake --install` adds to the binaries so that other projects find them.
# The tree may be moved: every path in it is relative.
include(CMakePackageConfigHelpers)
set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/hotjit)

install(EXPORT hotjit-targets NAMESPACE hotjit:: DESTINATION ${folder})
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/hotjit-config.cmake.in hotjit-config.cmake
  INSTALL_DESTINATION ${folder}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Both halves of a program's hotjit are of one version: the library looks for
# its engine beside itself.
write_basic_package_version_file(hotjit-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/hotjit-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/hotjit-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/HotjitEnable.cmake
  ${CMAKE_CURRENT_LIST_DIR}/patchable-entries.ld
  DESTINATION ${folder})

file(RELATIVE_PATH HOTJIT_PREFIX_FROM_PC
  /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" HOTJIT_PREFIX_FROM_PC "${HOTJIT_PREFIX_FROM_PC}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/hotjit.pc.in hotjit.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/hotjit.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
