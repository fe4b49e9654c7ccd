#ifndef HOTJIT_WIRE_SERVER_H
#define HOTJIT_WIRE_SERVER_H

#include "Support/Log.h"
#include "Wire/Protocol.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace hotjit::wire {

/// How much of the program's memory clients can take, in bytes.
struct ServerLimits {
  size_t MaxClients = 64;
  size_t MaxBody = 16 << 20; ///< of one message: a large unsaved buffer
  /// Written to a client but not read by it: beyond this it is dropped. Holds
  /// the log of a long session; small beside the engine itself.
  size_t MaxQueue = 8 << 20;

  // Of all clients together; beyond it the one that has most is dropped.
  size_t MaxUnfinished = 32 << 20; ///< messages whose end has not come
  size_t MaxUnread = 32 << 20;     ///< their queues
  /// Requests that the engine has not answered. Beyond it nobody is read: the
  /// engine answers them all, whatever clients do.
  size_t MaxUnanswered = 32 << 20;
};

struct ServerOptions {
  std::string SocketPath; ///< from SocketFolder.h, or the user's
  /// What `initialize` says; Capabilities lists the methods that work.
  InitializeReply Greeting;
  ServerLimits Limits;
};

/// The duty to answer one request. Move it anywhere, call it on any thread at
/// any time, once, with the result or an error (llvm::lsp::LSPError keeps its
/// code, any other error is RequestFailed with its text). Destroyed without a
/// call it answers with an internal error. After the client or the server has
/// gone it does nothing. For a notification the answer goes nowhere.
class Reply {
public:
  Reply();
  Reply(Reply &&Other);
  Reply &operator=(Reply &&Other);
  ~Reply();

  void operator()(llvm::Expected<llvm::json::Value> Result);

  /// Known to the server only: where the answer goes.
  struct Target;
  explicit Reply(std::unique_ptr<Target> To);

private:
  std::unique_ptr<Target> To;
};

/// The engine's end of the socket. One thread ("hotjit-wire") polls all
/// clients; no client can delay another, or the engine.
///
/// The server itself answers `initialize` and `shutdown` (the client's
/// goodbye), and refuses what is not JSON-RPC, other requests before
/// `initialize`, clients of another user, and more clients than the limit.
/// Those that have not sent `initialize` give way first.
///
/// **Example**:
///   auto S = Server::create(Options, [&](StringRef Method,
///                                        const json::Value &Params, Reply R) {
///     if (Method == method::Undo)
///       return Post([&, R = std::move(R)]() mutable { R(undo()); });
///     R(notInThisVersion(Method));
///   }, Log);
class Server {
public:
  /// Called on the wire thread; no lock is held. Must not block: hand the
  /// Reply to another thread. Must answer every method, unknown ones too
  /// (methodNotFound below).
  using Handler = std::function<void(
      llvm::StringRef Method, const llvm::json::Value &Params, Reply Answer)>;

  /// Binds the socket (mode 0600, in place only when it accepts connections;
  /// a stale one is replaced, one that answers is an error), starts the
  /// thread. The thread has the caller's descriptor table.
  /// The folder must exist; prepareSocketFolder() makes the default one.
  static llvm::Expected<std::unique_ptr<Server>> create(ServerOptions Options,
                                                        Handler Handle, Log &L);
  /// Tries to send what is queued (without waiting), closes all connections,
  /// removes the socket, joins the thread. Not from within Handle.
  ~Server();

  /// Sends the event to every client that has sent `initialize`. Any thread;
  /// does not block. Events and replies given on one thread keep their order.
  void broadcast(const Event &E);

  /// Waits until all that was said before is written to the clients, at most so
  /// long: the process may end. Any thread but the server's.
  void drain(std::chrono::milliseconds AtMost);

  const std::string &path() const;
  size_t clients() const; ///< any thread

  struct State;

private:
  explicit Server(std::shared_ptr<State> S);
  std::shared_ptr<State> S;
};

/// The error for a method that nobody knows.
llvm::Error methodNotFound(llvm::StringRef Method);

} // namespace hotjit::wire

#endif
