#ifndef HOTJIT_TEST_UNIT_LINK_PLUGIN_H
#define HOTJIT_TEST_UNIT_LINK_PLUGIN_H

#pragma GCC visibility push(default)
extern "C" {
int sharedExported();
int *pluginThreadLocal(); ///< 50 in each thread
int *pluginHits();        ///< a file-local variable of the plugin
int pluginCallsExported();
int pluginCallsHidden();
}
#pragma GCC visibility pop

extern "C" int sharedHidden(); ///< another one in each module

#endif
