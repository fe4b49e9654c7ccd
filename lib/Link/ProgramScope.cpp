// dlsym(3) must answer as it would answer the program. Asked with RTLD_DEFAULT
// it answers for the library that calls it: the engine, with LLVM, its own
// operator new and its own __cxa_atexit in it. Asked with a handle it does not
// care who asks, so handles it is: of the program, and of the shared object
// that the new code belongs to.

#include "Link/ProgramScope.h"

#include "Support/Error.h"
#include <dlfcn.h>
#include <string>

using namespace hotjit;
using namespace llvm;

void ProgramScope::CloseHandle::operator()(void *Handle) const {
  ::dlclose(Handle);
}

ProgramScope::ProgramScope(const Image &Program)
    : Program(Program), Global(::dlopen(nullptr, RTLD_LAZY | RTLD_NOLOAD)) {}

const ProgramScope::Handle &ProgramScope::handleOf(size_t Module) {
  auto [Entry, Fresh] = Modules.try_emplace(Module);
  const ImageModule &M = Program.modules()[Module];
  if (Fresh && !M.Executable)
    Entry->second.reset(::dlopen(M.Name.c_str(), RTLD_LAZY | RTLD_NOLOAD));
  return Entry->second;
}

static std::optional<ProgramAddr> ask(void *Handle, const std::string &Symbol) {
  if (!Handle)
    return std::nullopt;
  void *Address = ::dlsym(Handle, Symbol.c_str());
  if (!Address)
    return std::nullopt;
  return ProgramAddr(reinterpret_cast<uint64_t>(Address));
}

std::optional<ProgramAddr> ProgramScope::find(size_t Module, StringRef Symbol) {
  std::string Name = Symbol.str();
  const ImageModule &M = Program.modules()[Module];
  std::optional<ProgramAddr> Own = Program.findSymbol(M, Symbol);
  if (Own && M.Executable)
    return Own;
  std::optional<ProgramAddr> Local = ask(handleOf(Module).get(), Name);
  // The dynamic linker does not show it: it is hidden, and beats all others.
  if (Own && Local != Own)
    return Own;
  // An exported symbol of a shared object gives way to one in the program.
  if (std::optional<ProgramAddr> First = ask(Global.get(), Name))
    return First;
  return Own ? Own : Local;
}

std::optional<ThreadLocalPlace>
ProgramScope::findThreadLocal(size_t Module, StringRef Symbol) {
  std::string Name = Symbol.str();
  const ImageModule &M = Program.modules()[Module];
  std::optional<ThreadLocalPlace> Own;
  for (const ImageThreadLocal &T : Program.findThreadLocals(M, Symbol))
    if (T.External)
      Own = {M.TlsModuleId, T.Offset, M.TlsBlockOffset};
  if (Own && M.Executable)
    return Own;
  // As in find; but the address that dlsym gives is the calling thread's.
  auto Ask = [&](void *Handle) -> std::optional<ThreadLocalPlace> {
    std::optional<ProgramAddr> Here = ask(Handle, Name);
    return Here ? threadLocalAt(*Here) : std::nullopt;
  };
  std::optional<ThreadLocalPlace> Local = Ask(handleOf(Module).get());
  if (Own && !(Local && Local->ModuleId == Own->ModuleId &&
               Local->Offset == Own->Offset))
    return Own;
  if (std::optional<ThreadLocalPlace> First = Ask(Global.get()))
    return First;
  return Own ? Own : Local;
}
