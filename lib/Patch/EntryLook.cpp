// Whether an entry can lead elsewhere is decided in two steps. The bytes of the
// file say how much room there is and whether these instructions work
// elsewhere; that is here, and holds for a program that does not run, too. What
// only the process knows (where memory is free, who stands there) comes after
// it, in EntryTable.

#include "Patch/EntryLook.h"

#include "Patch/arch/x86_64/EntryWrite.h"
#include "Support/Error.h"

using namespace hotjit;
using llvm::Expected;

static Expected<EntryLook> lookAtPatchable(const FileBytes &File,
                                           const CodeEntry &E) {
  constexpr uint64_t Around = PatchablePadding + 6;
  EntryLook Look;
  Look.Code = File(E.Entry + -int64_t(PatchablePadding), Around);
  if (Look.Code.size() < Around)
    return makeError("the file does not hold its entry");
  std::optional<unsigned> Nops = findEntryNops(Look.Code);
  if (!Nops)
    return makeError("it is said to be patchable but has no NOPs for it");
  Look.NopOffset = *Nops;
  return Look;
}

static Expected<EntryLook> lookAtPlain(const Decoder &D, const FileBytes &File,
                                       const CodeEntry &E) {
  EntryLook Look;
  uint64_t Size = E.Size < JumpSize ? uint64_t(CodeBehindShort) : E.Size;
  Look.Code = File(E.Entry, Size);
  // Behind the last function of a file there is less.
  while (Look.Code.empty() && Size > E.Size)
    Look.Code = File(E.Entry, --Size);
  Expected<EntryWindow> Window = findWindow(D, Look.Code, E.Entry, E.Size);
  if (!Window)
    return Window.takeError();
  Look.Window = std::move(*Window);
  return Look;
}

Expected<EntryLook> hotjit::lookAtEntry(const Decoder &D, const FileBytes &File,
                                        const CodeEntry &E) {
  return E.Patchable ? lookAtPatchable(File, E) : lookAtPlain(D, File, E);
}
