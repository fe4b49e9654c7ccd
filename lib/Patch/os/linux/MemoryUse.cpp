// proc_pid_statm(5), proc_meminfo(5), and memory.max of control groups, which
// is what limits a container.

#include "Patch/os/linux/MemoryUse.h"

#include "Patch/os/linux/MemoryMap.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>
#include <optional>
#include <unistd.h>

namespace hotjit {

using llvm::StringRef;

static std::string readOrNothing(const char *Path) {
  llvm::Expected<std::string> Text = readProcFile(Path);
  if (Text)
    return std::move(*Text);
  llvm::consumeError(Text.takeError());
  return "";
}

static std::optional<uint64_t> firstNumber(StringRef Text) {
  uint64_t Number = 0;
  if (Text.ltrim().consumeInteger(10, Number))
    return std::nullopt;
  return Number;
}

uint64_t residentBytes() {
  std::string Text = readOrNothing("/proc/thread-self/statm");
  StringRef AfterSize = StringRef(Text).split(' ').second;
  return firstNumber(AfterSize).value_or(0) *
         static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t availableBytes() {
  uint64_t Available = ~0ULL;
  std::string Machine = readOrNothing("/proc/meminfo");
  if (std::optional<uint64_t> Kilobytes =
          firstNumber(StringRef(Machine).split("MemAvailable:").second))
    Available = *Kilobytes << 10;
  // As a container sees its own group; "max" is no number.
  std::optional<uint64_t> Limit =
      firstNumber(readOrNothing("/sys/fs/cgroup/memory.max"));
  std::optional<uint64_t> Used =
      firstNumber(readOrNothing("/sys/fs/cgroup/memory.current"));
  if (Limit && Used)
    Available = std::min(Available, *Limit > *Used ? *Limit - *Used : 0);
  return Available;
}

} // namespace hotjit
