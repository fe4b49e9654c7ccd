// A shared object of the program under test.

#include "Plugin.h"

thread_local int PluginThreadLocal = 50;
static int Hits = 7;

// The program defines these two as well; its exported one goes first.
int sharedExported() { return 200; }
int sharedHidden() { return 201; }

int *pluginThreadLocal() { return &PluginThreadLocal; }
int *pluginHits() { return &Hits; }
int pluginCallsExported() { return sharedExported(); }
int pluginCallsHidden() { return sharedHidden(); }
