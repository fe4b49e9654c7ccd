# hotjit_add_unit_test(<Module> <sources>... [LINK <libraries>...])
# Defines the GoogleTest program <Module>Tests, linked with hotjit<Module>.
find_package(GTest REQUIRED)

function(hotjit_add_unit_test module)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${module}Tests ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(${module}Tests PRIVATE
    ${PROJECT_SOURCE_DIR}/test/unit/support)
  target_link_libraries(${module}Tests PRIVATE
    hotjit${module} ${ARG_LINK} GTest::gmock GTest::gtest GTest::gtest_main)
  add_test(NAME unit/${module} COMMAND ${module}Tests)
endfunction()
