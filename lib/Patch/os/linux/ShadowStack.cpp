#include "Patch/os/linux/ShadowStack.h"

#include <cstdint>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotjit {

bool hasShadowStack() {
  // Linux 6.6, asm/prctl.h; older kernels know the feature as little as the
  // request and say EINVAL.
  constexpr int ArchShstkStatus = 0x5005;
  constexpr uint64_t ArchShstkShstk = 1;
  uint64_t Enabled = 0;
  return ::syscall(SYS_arch_prctl, ArchShstkStatus, &Enabled) == 0 &&
         (Enabled & ArchShstkShstk);
}

} // namespace hotjit
