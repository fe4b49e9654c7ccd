# hotjit_enable(<target>...): builds the targets so that hotjit can reload them
# well, and links libhotjit into them. Nothing else is touched; a build without
# debug information stays off. docs/flags.md says what each flag is for.
#
#   add_executable(my_app main.cpp)
#   hotjit_enable(my_app)
#
# Executables, shared libraries and plugins are enabled each on its own; code of
# static and object libraries with the library.
include_guard(GLOBAL)
set_property(GLOBAL PROPERTY HOTJIT_LINKER_SCRIPT
  ${CMAKE_CURRENT_LIST_DIR}/patchable-entries.ld)

function(hotjit_enable)
  if(NOT ARGN)
    message(FATAL_ERROR "hotjit_enable: which target?")
  endif()
  foreach(target IN LISTS ARGN)
    if(NOT TARGET ${target})
      message(FATAL_ERROR "hotjit_enable: ${target} is no target")
    endif()
    get_target_property(original ${target} ALIASED_TARGET)
    if(original)
      set(target ${original})
    endif()
    get_target_property(type ${target} TYPE)
    get_target_property(imported ${target} IMPORTED)
    if(imported OR type STREQUAL INTERFACE_LIBRARY OR type STREQUAL UTILITY)
      message(FATAL_ERROR "hotjit_enable: ${target} compiles nothing")
    endif()
    get_target_property(lto ${target} INTERPROCEDURAL_OPTIMIZATION)
    if(lto)
      message(WARNING "hotjit_enable: ${target} is optimized at link time; "
        "hotjit refuses such code (HJ2002)")
    endif()

    set(language $<COMPILE_LANG_AND_ID:C,GNU>,$<COMPILE_LANG_AND_ID:CXX,GNU>)
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:C,CXX>:-g>
      $<$<COMPILE_LANGUAGE:C,CXX>:-fpatchable-function-entry=8,6>
      $<$<OR:${language}>:-fno-ipa-stack-alignment>
      $<$<OR:${language}>:-fno-ipa-icf>)
    set_target_properties(${target} PROPERTIES EXPORT_COMPILE_COMMANDS ON)

    set(options)
    if("GNU" IN_LIST CMAKE_C_COMPILER_ID OR "GNU" IN_LIST CMAKE_CXX_COMPILER_ID)
      get_property(script GLOBAL PROPERTY HOTJIT_LINKER_SCRIPT)
      set(options "-Wl,-T,${script}")
    endif()

    # The properties and not target_link_libraries: that would decide for the
    # caller between its two signatures. The program may call nothing of the
    # library, and still needs it.
    set(library "-Wl,--push-state,--no-as-needed" hotjit::hotjit
      "-Wl,--pop-state")
    if(type STREQUAL STATIC_LIBRARY OR type STREQUAL OBJECT_LIBRARY)
      set_property(TARGET ${target} APPEND PROPERTY
        LINK_LIBRARIES hotjit::hotjit)
      set_property(TARGET ${target} APPEND PROPERTY
        INTERFACE_LINK_LIBRARIES $<LINK_ONLY:hotjit::hotjit>)
      set_property(TARGET ${target} APPEND PROPERTY
        INTERFACE_LINK_OPTIONS ${options})
    else()
      set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES ${library})
      set_property(TARGET ${target} APPEND PROPERTY LINK_OPTIONS ${options})
    endif()
    if(TARGET hotjit-engine) # Part of this build.
      add_dependencies(${target} hotjit-engine hotjit-launcher)
    endif()
  endforeach()
endfunction()
