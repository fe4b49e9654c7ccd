#ifndef HOTJIT_WIRE_SOCKETFOLDER_H
#define HOTJIT_WIRE_SOCKETFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit::wire {

/// What sun_path holds, without its terminating zero.
constexpr size_t MaxSocketPath = 107;

/// Where this user's sockets are: $XDG_RUNTIME_DIR/hotjit, else
/// /tmp/hotjit-UID. RuntimeDir is the value of XDG_RUNTIME_DIR; empty or not
/// absolute counts as unset. Creates nothing.
std::string socketFolder(llvm::StringRef RuntimeDir, unsigned Uid);
/// socketFolder() for this process's environment and user.
std::string socketFolder();

/// FOLDER/PID.sock.
std::string socketPath(llvm::StringRef Folder, int64_t Pid);

/// Error if Path cannot be the address of a socket: says its length.
llvm::Error checkSocketPath(llvm::StringRef Path);

/// Makes the folder if it is missing (mode 0700). Error: it is not a folder,
/// belongs to somebody else, or others may enter it.
llvm::Error prepareSocketFolder(llvm::StringRef Folder);
/// The checks of prepareSocketFolder without making anything.
llvm::Error checkSocketFolder(llvm::StringRef Folder);

/// A program that answers on its socket.
struct RunningProgram {
  int64_t Pid = 0; ///< 0 for a socket that is not named after one
  std::string Socket;
};

/// All programs of this user that listen in Folder; removes stale sockets
/// (nobody listens). A missing folder means none.
llvm::Expected<std::vector<RunningProgram>>
runningPrograms(llvm::StringRef Folder);

} // namespace hotjit::wire

#endif
