# One static library a room of lib/rooms.txt, linked to the rooms it may include. A room whose
# folder has no sources yet is skipped, so that the table can name rooms before their first code.

add_library(mizan_options INTERFACE)
target_compile_options(mizan_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor)
if(MIZAN_WERROR)
  target_compile_options(mizan_options INTERFACE -Werror)
endif()
# In a unity build every source is an included file, whose unnamed namespaces g++ warns of.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mizan_options INTERFACE -Wno-subobject-linkage)
endif()
# g++ 12 calls the empty side of an optional or expected uninitialized once it inlines enough; the
# address and undefined sanitizers and clang's analyzer look for the real ones.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mizan_options INTERFACE -Wno-maybe-uninitialized)
endif()
target_include_directories(mizan_options INTERFACE
  ${CMAKE_CURRENT_SOURCE_DIR}/lib ${CMAKE_CURRENT_BINARY_DIR}/generated)
target_link_libraries(mizan_options INTERFACE fmt::fmt Threads::Threads)

# mizan_room(NAME [LINK libs...]): called by lib/NAME/CMakeLists.txt.
function(mizan_room name)
  cmake_parse_arguments(ROOM "" "" "LINK;SOURCES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(APPEND sources ${ROOM_SOURCES})
  if(NOT sources)
    return()
  endif()
  add_library(mizan_${name} STATIC ${sources})
  target_link_libraries(mizan_${name} PUBLIC mizan_options ${ROOM_LINK})
  foreach(other ${MIZAN_ALLOWED_${name}})
    if(TARGET mizan_${other})
      target_link_libraries(mizan_${name} PUBLIC mizan_${other})
    endif()
  endforeach()
endfunction()

# A macro: MIZAN_ALLOWED_* must be seen by the rooms' own CMakeLists.txt.
macro(mizan_rooms table)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${table})
  file(STRINGS ${table} lines REGEX "^[a-z]+:")
  foreach(line ${lines})
    string(REGEX MATCH "^([a-z]+): *(.*)$" _ "${line}")
    set(room ${CMAKE_MATCH_1})
    string(REPLACE " " ";" MIZAN_ALLOWED_${room} "${CMAKE_MATCH_2}")
    if(NOT room STREQUAL "pure" AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/lib/${room}/CMakeLists.txt)
      add_subdirectory(lib/${room})
    endif()
  endforeach()
endmacro()
