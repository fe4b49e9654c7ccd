// A program that makes itself a daemon forks and ends: `hotjit run` ends with
// it, and what the developer works on runs on elsewhere, without hotjit (no
// thread of it is in a forked child). Or it lives, and a child does the work,
// as in tmux. Either must be said. The child may have another parent by then,
// and another session, so it cannot be found by those.
//
// But the kernel shows the environment that a process was executed with
// (proc_pid_environ(5)), and a forked child has that of its parent, whatever
// became of `environ`: the agent has taken our variable out there, so what the
// program executes does not have it. A program that writes its title over its
// environment is not found once it has done so.

#include "Descendants.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <dirent.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

std::string hotjit::launcherVariable() {
  return fmt::format("HOTJIT_LAUNCHER={}", ::getpid());
}

static bool isExecutedWith(pid_t Process, StringRef Variable) {
  auto Text =
      MemoryBuffer::getFileAsStream(fmt::format("/proc/{}/environ", Process));
  if (!Text) // It has ended, or is somebody else's.
    return false;
  StringRef Rest = (*Text)->getBuffer();
  while (!Rest.empty()) {
    auto [First, Others] = Rest.split('\0');
    if (First == Variable)
      return true;
    Rest = Others;
  }
  return false;
}

static std::vector<pid_t> lookForDescendants() {
  std::vector<pid_t> Result;
  DIR *Processes = ::opendir("/proc");
  if (!Processes)
    return Result;
  std::string Variable = launcherVariable();
  while (const dirent *Entry = ::readdir(Processes)) {
    pid_t Process = 0;
    if (!StringRef(Entry->d_name).getAsInteger(10, Process) &&
        isExecutedWith(Process, Variable))
      Result.push_back(Process);
  }
  ::closedir(Processes);
  return Result;
}

std::vector<pid_t> hotjit::findDescendants() {
  std::vector<pid_t> Found = lookForDescendants();
  // One that ended while we looked may have forked another behind our back.
  return Found.empty() ? lookForDescendants() : Found;
}

// A server may have one for each client.
static constexpr size_t MaxNumbers = 4;

/// "process 4711, which the program forked, runs"
static std::string theyRun(const std::vector<pid_t> &Processes, StringRef Who) {
  const bool IsOne = Processes.size() == 1;
  std::string Numbers;
  for (pid_t Process : ArrayRef(Processes).take_front(MaxNumbers))
    Numbers += fmt::format("{}{}", Numbers.empty() ? "" : ", ", Process);
  if (Processes.size() > MaxNumbers)
    Numbers += fmt::format(" and {} more", Processes.size() - MaxNumbers);
  return fmt::format("{} {}, which {} forked, {}",
                     IsOne ? "process" : "processes", Numbers, Who,
                     IsOne ? "runs" : "run");
}

std::string hotjit::describeDescendants(const std::vector<pid_t> &Processes) {
  if (Processes.empty())
    return "";
  return fmt::format("the program has ended; {} on without hotjit: start a "
                     "daemon in the foreground",
                     theyRun(Processes, "it"));
}

std::string hotjit::describeForked(const std::vector<pid_t> &Processes,
                                   pid_t Program) {
  if (Processes.empty())
    return "";
  return fmt::format("{} without hotjit: edits reach process {} only; start a "
                     "server in the foreground",
                     theyRun(Processes, "the program"), Program);
}
