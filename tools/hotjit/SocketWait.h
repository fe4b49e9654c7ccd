#ifndef HOTJIT_TOOLS_HOTJIT_SOCKETWAIT_H
#define HOTJIT_TOOLS_HOTJIT_SOCKETWAIT_H

#include "Wire/Client.h"
#include "Wire/Descriptor.h"
#include <memory>
#include <string>

namespace hotjit {

/// Waits until a program's socket is there, without asking again and again: by
/// inotify on its folder, or on the nearest parent while the folder is missing.
class SocketWait {
public:
  explicit SocketWait(std::string Path);

  /// Readable when it is worth to try again; -1 if inotify cannot be had, then
  /// try now and then.
  int descriptor() const { return Inotify.get(); }

  /// A connection, if somebody listens there now.
  std::unique_ptr<wire::Client> tryConnect(wire::Client::OnEvent Listener);

private:
  void watchNearestFolder();

  std::string Path;
  wire::Descriptor Inotify;
  std::string Watched;
  int WatchId = -1;
};

} // namespace hotjit

#endif
