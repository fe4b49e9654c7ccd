// A signal that is not ours must reach the program's handler as the kernel
// would have brought it: same arguments, same stack, same mask, and a frame
// from which the handler can return, jump away or never come back. Calling the
// handler from ours would give it a deeper stack, and the alternate one
// although it did not ask for it.
//
// So ours gets out of the way. The kernel's frame lies at the place where it
// would lie for the program's handler too; hotjitFaultEntry takes its own few
// words off the stack and jumps to that handler with the registers that the
// kernel had set. When it returns, it returns from the kernel's frame.
//
//   rsp ->  return address (libc's sigreturn)     struct rt_sigframe of
//           ucontext, 304 bytes                   arch/x86/include/asm/
//           siginfo, 128 bytes                    sigframe.h
//   ...     floating point state, aligned to 64, fpregs points to it
//
// Only where we asked for the alternate stack and the program's handler did not
// is the frame copied to the interrupted stack, laid out as the kernel does it.

#include "Patch/arch/x86_64/SignalFrame.h"

#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

// void hotjitFaultEntry(int Signal, siginfo_t *Info, void *Context)
__asm__(R"(
  .text
  .p2align 4
  .globl hotjitFaultEntry
  .hidden hotjitFaultEntry
  .type hotjitFaultEntry,@function
hotjitFaultEntry:
  .cfi_startproc
  endbr64
  pushq %rbx
  .cfi_def_cfa_offset 16
  .cfi_offset %rbx, -16
  movl %edi, %ebx
  leaq 8(%rsp), %rax
  subq $32, %rsp
  .cfi_def_cfa_offset 48
  movq $0, (%rsp)
  movq %rax, 8(%rsp)
  movq %rsi, 16(%rsp)
  movq %rdx, 24(%rsp)
  movq %rsp, %rcx
  callq hotjitOnFault
  movl %ebx, %edi
  movq (%rsp), %r11
  movq 8(%rsp), %rax
  movq 16(%rsp), %rsi
  movq 24(%rsp), %rdx
  addq $32, %rsp
  .cfi_def_cfa_offset 16
  popq %rbx
  .cfi_def_cfa_offset 8
  testq %r11, %r11
  jz 1f
  movq %rax, %rsp
  xorl %eax, %eax
  jmpq *%r11
1:
  retq
  .cfi_endproc
  .size hotjitFaultEntry, .-hotjitFaultEntry
)");

namespace hotjit {

// As the kernel has them; libc's structures are longer.
constexpr uint64_t ContextSize = 304;
constexpr uint64_t InfoSize = 128;
constexpr uint64_t FrameSize = 8 + ContextSize + InfoSize;
constexpr uint64_t RedZone = 128;

static const ucontext_t &contextOf(const SignalEntry &Entry) {
  return *reinterpret_cast<const ucontext_t *>(Entry.Context);
}

static uint64_t registerOf(const void *Context, int Number) {
  return static_cast<uint64_t>(
      static_cast<const ucontext_t *>(Context)->uc_mcontext.gregs[Number]);
}

uint64_t pcOf(const void *Context) { return registerOf(Context, REG_RIP); }
uint64_t spOf(const void *Context) { return registerOf(Context, REG_RSP); }

void setPc(void *Context, uint64_t Pc) {
  static_cast<ucontext_t *>(Context)->uc_mcontext.gregs[REG_RIP] =
      static_cast<greg_t>(Pc);
}

bool isOnAlternateStack(const SignalEntry &Entry) {
  const stack_t &Stack = contextOf(Entry).uc_stack;
  if (Stack.ss_flags & SS_DISABLE)
    return false;
  uint64_t Begin = reinterpret_cast<uint64_t>(Stack.ss_sp);
  auto Contains = [&](uint64_t A) { return A - Begin < Stack.ss_size; };
  return Contains(Entry.Frame) && !Contains(spOf(&contextOf(Entry)));
}

/// Bytes of the saved floating point state (struct _fpx_sw_bytes).
static uint64_t floatingPointSize(const void *State) {
  constexpr uint64_t LegacySize = 512, SoftwareBytes = 464;
  struct {
    uint32_t Magic;
    uint32_t ExtendedSize;
  } Software;
  std::memcpy(&Software, static_cast<const char *>(State) + SoftwareBytes,
              sizeof Software);
  constexpr uint32_t Magic = 0x46505853;
  return Software.Magic == Magic ? Software.ExtendedSize : LegacySize;
}

/// The kernel writes there as it would write a frame: grows a stack, and says
/// so if there is none.
static bool isWritable(uint64_t Begin, uint64_t End) {
  constexpr uint64_t Page = 4096;
  constexpr unsigned KernelMaskSize = _NSIG / 8;
  auto Probe = [](uint64_t A) {
    // Reads the mask, and writes it to A.
    return ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, A,
                     KernelMaskSize) == 0;
  };
  // From the top: that is how a stack grows.
  for (uint64_t A = (End - 8) & ~7ULL; A > Begin; A -= Page) {
    if (!Probe(A))
      return false;
    if (A - Begin < Page)
      break;
  }
  return Probe(Begin & ~7ULL);
}

bool moveToInterruptedStack(SignalEntry &Entry) {
  const ucontext_t &From = contextOf(Entry);
  const void *State = From.uc_mcontext.fpregs;
  uint64_t Top = spOf(&From) - RedZone;
  uint64_t StateSize = State ? floatingPointSize(State) : 0;
  uint64_t NewState = (Top - StateSize) & ~63ULL;
  uint64_t Frame = ((NewState - FrameSize) & ~15ULL) - 8;
  if (!isWritable(Frame, Top))
    return false;
  if (State)
    std::memcpy(reinterpret_cast<void *>(NewState), State, StateSize);
  std::memcpy(reinterpret_cast<void *>(Frame),
              reinterpret_cast<const void *>(Entry.Frame), FrameSize);
  Entry.Frame = Frame;
  Entry.Context = Frame + 8;
  Entry.Info = Frame + 8 + ContextSize;
  auto *To = reinterpret_cast<ucontext_t *>(Entry.Context);
  if (State)
    To->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(NewState);
  return true;
}

} // namespace hotjit
