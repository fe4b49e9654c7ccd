// The program's code is a private file mapping, readable and executable. Two
// ways to write there:
//
//   * mprotect(2) to RWX, store, mprotect back. The store is ours: one aligned
//     mov, seen whole. The page never loses X, so no thread faults. Its first
//     write copies the page; the kernel flushes the old one from all TLBs.
//   * pwrite(2) to /proc/self/mem, which needs no change of protection. But the
//     kernel copies with memcpy, that promises no single store, and since Linux
//     6.12 it may be told to refuse (proc_mem.force_override=).
//
// An entry must change with one store, so it is the first. Both are refused by
// the same policies: SELinux asks for `execmod` (a private file mapping that
// was written to becomes executable) and `execmem`; without them mprotect fails
// with EACCES before anything was written, and we say so.
//
// A text mapping that is shared is left alone: a store would go to the file.

#include "Patch/os/linux/ProgramText.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MathExtras.h"
#include <sys/mman.h>
#include <unistd.h>

namespace hotjit {

using llvm::Error;
using llvm::Expected;

llvm::ArrayRef<uint8_t> programBytes(ProgramAddr A, uint64_t Size) {
  return {reinterpret_cast<const uint8_t *>(A.value()), Size};
}

static int protect(AddrRange R, int Protection) {
  return ::mprotect(reinterpret_cast<void *>(R.Begin.value()), R.size(),
                    Protection);
}

Error WritableText::add(AddrRange Range, const std::vector<Mapping> &Map) {
  // Mapping by mapping: each gets its own protection back.
  for (ProgramAddr At = Range.Begin; At < Range.End;) {
    const Mapping *M = findMapping(Map, At);
    if (!M || !(M->Protection & PROT_EXEC) || !(M->Protection & PROT_READ))
      return makeError("{} is not mapped for execution (HJ3004)", At);
    if (M->Shared)
      return makeError("{} is mapped shared; a write would go to {} (HJ3004)",
                       At, M->Path);
    AddrRange Part = {At, std::min(Range.End, M->Range.End)};
    if (protect(Part, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
      return makeError("mprotect of code at {}: {}; SELinux: allow execmod and "
                       "execmem (HJ3004)",
                       At, llvm::sys::StrError(errno));
    Opened.push_back({Part, M->Protection});
    At = Part.End;
  }
  return Error::success();
}

Expected<WritableText> WritableText::open(llvm::ArrayRef<AddrRange> Ranges) {
  Expected<std::vector<Mapping>> Map = readMemoryMap();
  if (!Map)
    return Map.takeError();
  const uint64_t Page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::vector<AddrRange> Pages;
  for (AddrRange R : Ranges)
    Pages.push_back({ProgramAddr(llvm::alignDown(R.Begin.value(), Page)),
                     ProgramAddr(llvm::alignTo(R.End.value(), Page))});
  llvm::sort(Pages, [](AddrRange A, AddrRange B) { return A.Begin < B.Begin; });

  WritableText Text;
  ProgramAddr Done;
  for (AddrRange R : Pages) {
    R.Begin = std::max(R.Begin, Done);
    if (R.Begin >= R.End)
      continue;
    // The destructor takes back what was opened before.
    if (Error E = Text.add(R, *Map))
      return std::move(E);
    Done = R.End;
  }
  return std::move(Text);
}

WritableText::~WritableText() {
  for (const Pages &P : Opened)
    HOTJIT_ASSERT(protect(P.Range, P.Protection) == 0,
                  "protection of code pages not restored");
}

// ThreadSanitizer keeps no shadow memory for code.
#define NOT_INSTRUMENTED __attribute__((disable_sanitizer_instrumentation))

NOT_INSTRUMENTED
void WritableText::storeByte(ProgramAddr A, uint8_t Value) {
  __atomic_store_n(reinterpret_cast<uint8_t *>(A.value()), Value,
                   __ATOMIC_RELEASE);
}

NOT_INSTRUMENTED
void WritableText::storeWord(ProgramAddr A, uint64_t Value) {
  HOTJIT_ASSERT(A.value() % 8 == 0, "word store not aligned");
  __atomic_store_n(reinterpret_cast<uint64_t *>(A.value()), Value,
                   __ATOMIC_RELEASE);
}

NOT_INSTRUMENTED
uint64_t WritableText::loadWord(ProgramAddr A) {
  return __atomic_load_n(reinterpret_cast<const uint64_t *>(A.value()),
                         __ATOMIC_RELAXED);
}

} // namespace hotjit
