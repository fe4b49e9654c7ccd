#ifndef HOTJIT_PATCH_OS_LINUX_SAMPLER_H
#define HOTJIT_PATCH_OS_LINUX_SAMPLER_H

#include "Patch/arch/x86_64/FrameWalk.h"
#include "Support/ProgramAddr.h"
#include <optional>
#include <vector>

namespace hotjit {

/// A running thread at one moment.
struct StackSample {
  FrameRegisters Registers;   ///< those that a call keeps, rsp and rip
  std::vector<uint8_t> Stack; ///< from rsp upwards, 64 KiB at most
};

/// Samples a thread of this process by perf_event_open(2), without stopping it.
/// Gives nothing where that is not permitted.
class Sampler {
public:
  explicit Sampler(int Thread);
  ~Sampler();
  Sampler(const Sampler &) = delete;
  Sampler &operator=(const Sampler &) = delete;

  /// Waits two milliseconds at most for the thread to run for a moment.
  std::optional<StackSample> next();

private:
  void copyOut(uint64_t From, void *To, size_t Size) const;
  std::optional<StackSample> parse(uint64_t At) const;

  int Descriptor = -1;
  uint8_t *Ring = nullptr; ///< a page of control, then the records
};

} // namespace hotjit

#endif
