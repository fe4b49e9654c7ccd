// What the kernel tells about the process's threads without touching them:
// proc_pid_task(5), proc_pid_syscall(5), proc_pid_status(5).

#include "Patch/os/linux/Tasks.h"

#include "Patch/os/linux/MemoryMap.h"
#include "fmt/format.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <dirent.h>

namespace hotjit {

using llvm::StringRef;

static std::optional<std::string> readTaskFile(int Thread, const char *Name) {
  llvm::Expected<std::string> Text =
      readProcFile(fmt::format("/proc/self/task/{}/{}", Thread, Name));
  if (Text)
    return std::move(*Text);
  // It has ended, or the kernel has no such file.
  llvm::consumeError(Text.takeError());
  return std::nullopt;
}

std::vector<int> listTasks() {
  std::vector<int> Threads;
  DIR *Directory = ::opendir("/proc/self/task");
  if (!Directory)
    return Threads;
  while (const dirent *Entry = ::readdir(Directory)) {
    int Thread = 0;
    if (!StringRef(Entry->d_name).getAsInteger(10, Thread))
      Threads.push_back(Thread);
  }
  ::closedir(Directory);
  return Threads;
}

std::optional<SleepingTask> readSleepingTask(int Thread) {
  // "running", or "-1 RSP RIP" (not in a system call, a page fault say), or
  // "NUMBER six arguments RSP RIP".
  std::optional<std::string> Text = readTaskFile(Thread, "syscall");
  if (!Text)
    return std::nullopt;
  llvm::SmallVector<StringRef, 9> Fields;
  StringRef(*Text).rtrim('\n').split(Fields, ' ');
  if (Fields.size() < 3)
    return std::nullopt;
  uint64_t Rsp = 0, Rip = 0;
  if (Fields[Fields.size() - 2].getAsInteger(0, Rsp) ||
      Fields.back().getAsInteger(0, Rip))
    return std::nullopt;
  return SleepingTask{ProgramAddr(Rsp), ProgramAddr(Rip), std::move(*Text)};
}

static bool isSignalBlocked(int Thread, int Signal) {
  // A thread that has ended has no file, or one without this line.
  std::string Text = readTaskFile(Thread, "status").value_or("");
  StringRef After = StringRef(Text).split("SigBlk:").second;
  uint64_t Mask = 0;
  if (After.ltrim().consumeInteger(16, Mask))
    return false;
  auto Blocks = [&](int S) { return ((Mask >> (S - 1)) & 1) != 0; };
  // pthread_sigmask(3) lets nobody block these two.
  constexpr int LibcCancel = 32, LibcSetXid = 33;
  return Blocks(Signal) && !(Blocks(LibcCancel) && Blocks(LibcSetXid));
}

std::vector<BlockingTask> listTasksBlocking(int Signal) {
  std::vector<BlockingTask> Result;
  for (int Thread : listTasks()) {
    if (!isSignalBlocked(Thread, Signal))
      continue;
    BlockingTask &T = Result.emplace_back();
    T.Thread = Thread;
    T.Name = taskName(Thread);
    if (std::optional<SleepingTask> Asleep = readSleepingTask(Thread))
      T.SleepsAt = Asleep->Rip;
  }
  return Result;
}

std::string taskName(int Thread) {
  std::optional<std::string> Text = readTaskFile(Thread, "comm");
  return Text ? StringRef(*Text).rtrim('\n').str() : std::string();
}

std::string taskRunStamp(int Thread) {
  // Time on the processor, time waited, times it was switched to.
  return readTaskFile(Thread, "schedstat").value_or("");
}

} // namespace hotjit
