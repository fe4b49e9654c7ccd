#ifndef HOTJIT_WIRE_UNIXSOCKET_H
#define HOTJIT_WIRE_UNIXSOCKET_H

#include "Wire/Descriptor.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace hotjit::wire {

// Unix stream sockets. All descriptors are non-blocking and close-on-exec.

/// Connects; the error converts to an std::error_code with errno's value.
llvm::Expected<Descriptor> connectTo(llvm::StringRef Path);

/// A listening socket that appears at Path (mode 0600) only when it accepts
/// connections. A stale socket there is replaced; one that answers, or a file
/// that is no socket, is an error.
llvm::Expected<Descriptor> listenAt(llvm::StringRef Path);

/// Whether the other end of a connection runs as the user of this process.
bool peerIsSameUser(int Socket);

} // namespace hotjit::wire

#endif
