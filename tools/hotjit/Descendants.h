#ifndef HOTJIT_TOOLS_HOTJIT_DESCENDANTS_H
#define HOTJIT_TOOLS_HOTJIT_DESCENDANTS_H

#include <string>
#include <sys/types.h>
#include <vector>

namespace hotjit {

/// NAME=value for the environment of the program, by which what it forks is
/// known.
std::string launcherVariable();

/// The processes that still run and were forked, by whomever, from the program
/// that this process has started; without those that have executed another one.
std::vector<pid_t> findDescendants();

/// What to say about them when the program has ended; empty if there are none.
std::string describeDescendants(const std::vector<pid_t> &Processes);
/// The same when an edit has gone live in the program, which is Program.
std::string describeForked(const std::vector<pid_t> &Processes, pid_t Program);

} // namespace hotjit

#endif
