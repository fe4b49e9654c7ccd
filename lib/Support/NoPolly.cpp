// Debian's LLVM was configured with Polly linked into its tools: BackendUtil in
// libclangCodeGen and LTOBackend in libLLVMLTO refer to its entry point. But no
// package installs libPolly.a, so a static link ends with one undefined symbol.
// This is that symbol: a plugin that registers no pass.
//
// It stays alone in its file: the linker takes this member of the archive only
// where something refers to the symbol. (lld remembers archive members it has
// passed; a linker that does not, needs hotjitSupport named after LLVM.)

#include "llvm/Plugins/PassPlugin.h"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  llvm::PassPluginLibraryInfo Plugin{};
  Plugin.APIVersion = LLVM_PLUGIN_API_VERSION;
  Plugin.PluginName = "no-polly";
  Plugin.PluginVersion = "0";
  Plugin.RegisterPassBuilderCallbacks = [](llvm::PassBuilder &) {};
  return Plugin;
}
