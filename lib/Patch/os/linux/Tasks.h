#ifndef HOTJIT_PATCH_OS_LINUX_TASKS_H
#define HOTJIT_PATCH_OS_LINUX_TASKS_H

#include "Support/ProgramAddr.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// Ids of this process's threads, now. Any thread.
std::vector<int> listTasks();

/// Where a thread that sleeps in the kernel will go on.
struct SleepingTask {
  ProgramAddr Rsp;
  ProgramAddr Rip;
  std::string Text; ///< the whole line, to compare
};

/// None if it runs, is about to run, or has ended.
std::optional<SleepingTask> readSleepingTask(int Thread);

/// A thread that runs, or will run, code with a signal blocked. Not listed are
/// threads in the few instructions of libc that block every signal, its own
/// (32 and 33) too, to make or end a thread: that no function of the program
/// can do, and it calls none.
struct BlockingTask {
  int Thread = 0;
  std::string Name;
  std::optional<ProgramAddr> SleepsAt; ///< where it will go on, if it sleeps
};
std::vector<BlockingTask> listTasksBlocking(int Signal);

std::string taskName(int Thread);

/// Something that differs if the thread has run in the meantime; empty if the
/// kernel does not tell.
std::string taskRunStamp(int Thread);

} // namespace hotjit

#endif
