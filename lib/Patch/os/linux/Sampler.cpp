// A profiler for one thread and one moment. The software task clock counts the
// time that the thread runs; every 50 us of that the kernel appends a record to
// a ring that we have mapped: registers and stack of the thread in user mode,
// taken in the same interrupt, so they fit together.

#include "Patch/os/linux/Sampler.h"

#include <algorithm>
#include <asm/perf_regs.h>
#include <cstring>
#include <iterator>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotjit {

static constexpr size_t Page = 4096;
// The largest stack copy that fits into a record, whose size has 16 bits.
static constexpr uint32_t StackBytes = 60 << 10;
// One record is enough; the size is a power of two of pages.
static constexpr size_t RingBytes = 32 * Page;
static constexpr uint64_t PeriodNanoseconds = 50'000;
static constexpr int WaitMilliseconds = 2;

namespace {
struct Register {
  unsigned Perf;  ///< bit in sample_regs_user
  unsigned Dwarf; ///< index into FrameRegisters
};
} // namespace

// In the order of their bits, which is that of the record.
static constexpr Register Sampled[] = {
    {PERF_REG_X86_BX, FrameRegisters::Rbx},
    {PERF_REG_X86_BP, FrameRegisters::Rbp},
    {PERF_REG_X86_SP, FrameRegisters::Rsp},
    {PERF_REG_X86_IP, FrameRegisters::Rip},
    {PERF_REG_X86_R12, FrameRegisters::R12},
    {PERF_REG_X86_R13, FrameRegisters::R13},
    {PERF_REG_X86_R14, FrameRegisters::R14},
    {PERF_REG_X86_R15, FrameRegisters::R15},
};

Sampler::Sampler(int Thread) {
  struct perf_event_attr Attr;
  std::memset(&Attr, 0, sizeof Attr);
  Attr.size = sizeof Attr;
  Attr.type = PERF_TYPE_SOFTWARE;
  Attr.config = PERF_COUNT_SW_TASK_CLOCK;
  Attr.sample_period = PeriodNanoseconds;
  Attr.sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
  Attr.sample_regs_user = 0;
  for (const Register &R : Sampled)
    Attr.sample_regs_user |= 1ULL << R.Perf;
  Attr.sample_stack_user = StackBytes;
  Attr.exclude_kernel = 1;
  Attr.exclude_hv = 1;
  Attr.wakeup_events = 1;
  Descriptor = static_cast<int>(::syscall(SYS_perf_event_open, &Attr, Thread,
                                          /*any processor*/ -1, /*group*/ -1,
                                          PERF_FLAG_FD_CLOEXEC));
  if (Descriptor < 0)
    return;
  void *Memory = ::mmap(nullptr, Page + RingBytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED, Descriptor, 0);
  if (Memory != MAP_FAILED)
    Ring = static_cast<uint8_t *>(Memory);
}

Sampler::~Sampler() {
  if (Ring)
    ::munmap(Ring, Page + RingBytes);
  if (Descriptor >= 0)
    ::close(Descriptor);
}

void Sampler::copyOut(uint64_t From, void *To, size_t Size) const {
  uint64_t Begin = From % RingBytes;
  size_t First = std::min<size_t>(Size, RingBytes - Begin);
  std::memcpy(To, Ring + Page + Begin, First);
  std::memcpy(static_cast<uint8_t *>(To) + First, Ring + Page, Size - First);
}

std::optional<StackSample> Sampler::parse(uint64_t At) const {
  // header, abi, registers in the order of their bits, size, stack, used size
  struct {
    perf_event_header Header;
    uint64_t Abi;
    uint64_t Values[std::size(Sampled)];
    uint64_t Size;
  } Record;
  copyOut(At, &Record, sizeof Record);
  if (Record.Abi != PERF_SAMPLE_REGS_ABI_64)
    return std::nullopt;
  StackSample Sample;
  for (size_t I = 0; I != std::size(Sampled); ++I)
    Sample.Registers[Sampled[I].Dwarf] = Record.Values[I];
  if (Record.Size == 0 || Record.Size > StackBytes)
    return Sample;
  uint64_t Used = 0;
  copyOut(At + sizeof Record + Record.Size, &Used, sizeof Used);
  Sample.Stack.resize(std::min(Used, Record.Size));
  copyOut(At + sizeof Record, Sample.Stack.data(), Sample.Stack.size());
  return Sample;
}

std::optional<StackSample> Sampler::next() {
  if (!Ring)
    return std::nullopt;
  struct pollfd Wait = {Descriptor, POLLIN, 0};
  ::poll(&Wait, 1, WaitMilliseconds);
  auto *Control = reinterpret_cast<perf_event_mmap_page *>(Ring);
  uint64_t Head = __atomic_load_n(&Control->data_head, __ATOMIC_ACQUIRE);
  uint64_t Tail = Control->data_tail;
  std::optional<StackSample> Newest;
  // The ring holds two samples at most, so this is short.
  while (Tail + sizeof(perf_event_header) <= Head) {
    perf_event_header Header;
    copyOut(Tail, &Header, sizeof Header);
    if (Header.size < sizeof Header)
      break;
    if (Header.type == PERF_RECORD_SAMPLE)
      if (std::optional<StackSample> S = parse(Tail))
        Newest = std::move(S);
    Tail += Header.size;
  }
  __atomic_store_n(&Control->data_tail, Head, __ATOMIC_RELEASE);
  return Newest;
}

} // namespace hotjit
