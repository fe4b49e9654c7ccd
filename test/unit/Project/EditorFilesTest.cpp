#include "Project/Watcher.h"

#include "gtest/gtest.h"

using namespace hotjit;

// H12: what editors put into a folder on their way to a save.
TEST(EditorFiles, AreNotReported) {
  for (const char *Name : {"4913",
                           "5036",
                           ".lstrlib.c.swp",
                           ".lstrlib.c.swo",
                           ".lstrlib.c.swx",
                           ".lstrlib.c.swpx",
                           "lstrlib.c~",
                           ".#lstrlib.c",
                           "#lstrlib.c#",
                           "lstrlib.c.~1~",
                           "lstrlib.c___jb_tmp___",
                           "lstrlib.c___jb_old___",
                           ".goutputstream-AB12CD",
                           ".lstrlib.c.kate-swp",
                           ".nfs000001",
                           "lstrlib.c.orig",
                           "lstrlib.c.rej",
                           "",
                           ".",
                           ".."})
    EXPECT_TRUE(isEditorTemporary(Name)) << Name;
}

TEST(EditorFiles, AreNotMistakenForSources) {
  for (const char *Name :
       {"lstrlib.c", "4914", "4913.c", "12", "a~b.c", "#a.c", ".hidden.h",
        "swap.swp.c", "sedentary", "x.original", "lua.hpp", "vector",
        "caf\xc3\xa9.c", "with space.c"})
    EXPECT_FALSE(isEditorTemporary(Name)) << Name;
}
