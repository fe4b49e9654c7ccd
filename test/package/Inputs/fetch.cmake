include(FetchContent)
FetchContent_Declare(hotjit URL hotjit.tar.gz)
FetchContent_MakeAvailable(hotjit)
