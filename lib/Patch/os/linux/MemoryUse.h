#ifndef HOTJIT_PATCH_OS_LINUX_MEMORYUSE_H
#define HOTJIT_PATCH_OS_LINUX_MEMORYUSE_H

#include <cstdint>

namespace hotjit {

/// Bytes of memory that this process has; 0 if the kernel does not tell.
uint64_t residentBytes();

/// Bytes that it could still get without anybody being killed for it: of the
/// machine, and of the control group that it is in. ~0 if nobody tells.
uint64_t availableBytes();

} // namespace hotjit

#endif
