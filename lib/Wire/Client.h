#ifndef HOTJIT_WIRE_CLIENT_H
#define HOTJIT_WIRE_CLIENT_H

#include "Wire/Descriptor.h"
#include "Wire/Framing.h"
#include "Wire/JsonRpc.h"
#include "Wire/Protocol.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace hotjit::wire {

/// Which program a command talks to.
struct ProgramChoice {
  std::optional<int64_t> Pid;
  std::string Socket; ///< wins over Pid
};

/// The socket of the chosen program; without a choice that of the only one
/// running in Folder. Error (NoSuchProgram): there is none, or several: lists
/// them.
llvm::Expected<std::string> findProgram(const ProgramChoice &Choice,
                                        llvm::StringRef Folder);

/// "There is no such program": commands end with a status of its own for it.
class NoSuchProgram : public llvm::ErrorInfo<NoSuchProgram> {
public:
  static char ID;
  explicit NoSuchProgram(std::string Text) : Text(std::move(Text)) {}
  void log(llvm::raw_ostream &OS) const override { OS << Text; }
  std::error_code convertToErrorCode() const override {
    return std::make_error_code(std::errc::no_such_process);
  }

private:
  std::string Text;
};

/// The other end of the socket. Use from one thread. Two ways to use it, which
/// mix: ask() waits for the answer; send() and, when descriptor() is readable,
/// receive() never wait.
class Client {
public:
  /// Called from within receive() and ask().
  using OnEvent = std::function<void(const Event &)>;
  using OnAnswer = std::function<void(llvm::Expected<llvm::json::Value>)>;

  /// Connects; sends nothing yet. Error: NoSuchProgram if nobody listens there.
  static llvm::Expected<std::unique_ptr<Client>> connect(llvm::StringRef Socket,
                                                         OnEvent Listener);
  ~Client(); ///< answers that have not come are dropped

  /// Sends `initialize` as Name and waits. Error: the program speaks another
  /// version of the protocol.
  llvm::Expected<InitializeReply> initialize(llvm::StringRef Name);

  /// Sends a request and waits for its answer, however long it takes (a compile
  /// may be slow; a connection that ends is noticed). An error answer is an
  /// llvm::lsp::LSPError.
  llvm::Expected<llvm::json::Value> ask(llvm::StringRef Method,
                                        llvm::json::Value Params = nullptr);
  template <typename T>
  llvm::Expected<T> askFor(llvm::StringRef Method,
                           llvm::json::Value Params = nullptr) {
    llvm::Expected<llvm::json::Value> V = ask(Method, std::move(Params));
    if (!V)
      return V.takeError();
    return parse<T>(*V, Method);
  }

  /// Sends a request; Then is called when the answer comes. Waits only if the
  /// program does not read.
  llvm::Error send(llvm::StringRef Method, llvm::json::Value Params,
                   OnAnswer Then);
  /// Handles all that has come. Error: the connection ended.
  llvm::Error receive();
  int descriptor() const { return Socket.get(); }

private:
  Client(Descriptor Socket, OnEvent Listener);
  llvm::Error wait(short Events);
  llvm::Error handle(llvm::StringRef Body);

  Descriptor Socket;
  OnEvent Listener;
  FrameDecoder Input;
  int64_t LastId = 0;
  std::map<int64_t, OnAnswer> Waiting;
};

} // namespace hotjit::wire

#endif
