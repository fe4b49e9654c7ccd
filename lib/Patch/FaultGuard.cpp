// The guards of a thread are a list from the innermost outwards; its head is
// thread-local. A handler must reach it without a call into the loader, which
// could allocate: so it is in static TLS, which costs the program eight bytes.

#include "Patch/FaultGuard.h"

#include "Patch/arch/x86_64/SignalFrame.h"
#include <link.h>

namespace hotjit {

static constinit thread_local FaultGuard *Innermost
    __attribute__((tls_model("initial-exec"))) = nullptr;

FaultGuard::FaultGuard() : Outer(Innermost) {}

FaultGuard::~FaultGuard() { leave(); }

void FaultGuard::enter() { Innermost = this; }

void FaultGuard::leave() {
  if (Innermost == this)
    Innermost = Outer;
}

FaultGuard *FaultGuard::innermost() { return Innermost; }

bool takeByGuard(int Signal, const siginfo_t &Info, void *Context) {
  for (FaultGuard *G = Innermost; G; G = G->outer())
    if (G->take(Signal, Info, Context))
      return true;
  return false;
}

namespace {
struct Extent {
  ElfW(Addr) Inside;
  ElfW(Addr) Begin, End;
};
} // namespace

static int findExtent(dl_phdr_info *Object, size_t, void *Data) {
  auto *E = static_cast<Extent *>(Data);
  for (int I = 0; I != Object->dlpi_phnum; ++I) {
    const ElfW(Phdr) &Header = Object->dlpi_phdr[I];
    ElfW(Addr) Begin = Object->dlpi_addr + Header.p_vaddr;
    if (Header.p_type != PT_LOAD || !(Header.p_flags & PF_X) ||
        E->Inside - Begin >= Header.p_memsz)
      continue;
    E->Begin = Begin;
    E->End = Begin + Header.p_memsz;
    return 1;
  }
  return 0;
}

static Extent OwnCode;

void learnOwnCode() {
  OwnCode.Inside = reinterpret_cast<ElfW(Addr)>(&hotjitFaultEntry);
  ::dl_iterate_phdr(findExtent, &OwnCode);
}

bool isOwnCode(ProgramAddr Pc) {
  return Pc.value() >= OwnCode.Begin && Pc.value() < OwnCode.End;
}

bool isStackOverflow(int Signal, const siginfo_t &Info, const void *Context) {
  // A function takes its frame and then touches it, from either end. Near a
  // stack pointer nothing else faults.
  constexpr int64_t LargestFrame = 1 << 20;
  if ((Signal != SIGSEGV && Signal != SIGBUS) || Info.si_code <= 0)
    return false;
  int64_t Above = static_cast<int64_t>(
      reinterpret_cast<uint64_t>(Info.si_addr) - spOf(Context));
  return Above > -LargestFrame && Above < LargestFrame &&
         Info.si_code != SI_KERNEL;
}

} // namespace hotjit
