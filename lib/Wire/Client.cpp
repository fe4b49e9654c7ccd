// A client of a program's socket: the launcher, the commands, the tests.

#include "Wire/Client.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "Wire/UnixSocket.h"
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

char NoSuchProgram::ID = 0;

// The log of a long session is the longest answer.
static constexpr size_t MaxAnswer = 64 << 20;
// One's own program may say as much as fits into that.
static constexpr BodyLimits AnswerLimits{/*Nesting=*/64, SIZE_MAX, SIZE_MAX};
static constexpr size_t ReadSize = 64 << 10;

static Error noSuchProgram(std::string Text) {
  return make_error<NoSuchProgram>(std::move(Text));
}

Expected<std::string> hotjit::wire::findProgram(const ProgramChoice &Choice,
                                                StringRef Folder) {
  if (!Choice.Socket.empty())
    return Choice.Socket;
  Expected<std::vector<RunningProgram>> Running = runningPrograms(Folder);
  if (!Running)
    return Running.takeError();
  if (Choice.Pid) {
    for (const RunningProgram &P : *Running)
      if (P.Pid == *Choice.Pid)
        return P.Socket;
    return noSuchProgram(
        fmt::format("process {} does not run with hotjit", *Choice.Pid));
  }
  if (Running->empty())
    return noSuchProgram(
        "no program runs with hotjit; start one with 'hotjit run PROGRAM'");
  if (Running->size() == 1)
    return Running->front().Socket;
  std::string Pids;
  for (const RunningProgram &P : *Running)
    Pids += fmt::format(" {}", P.Pid);
  return noSuchProgram(
      fmt::format("{} programs run with hotjit; choose one with --pid:{}",
                  Running->size(), Pids));
}

Client::Client(Descriptor Socket, OnEvent Listener)
    : Socket(std::move(Socket)), Listener(std::move(Listener)),
      Input(MaxAnswer) {}

Client::~Client() = default;

Expected<std::unique_ptr<Client>> Client::connect(StringRef Socket,
                                                  OnEvent Listener) {
  if (Error E = checkSocketPath(Socket))
    return std::move(E);
  Expected<Descriptor> D = connectTo(Socket);
  if (!D)
    return noSuchProgram(toString(D.takeError()));
  if (!peerIsSameUser(D->get()))
    return makeError("{}: the program there runs as another user", Socket);
  return std::unique_ptr<Client>(
      new Client(std::move(*D), std::move(Listener)));
}

Expected<InitializeReply> Client::initialize(StringRef Name) {
  InitializeParams Params;
  Params.Client = Name.str();
  Expected<InitializeReply> Answer =
      askFor<InitializeReply>(method::Initialize, toJSON(Params));
  if (Answer && Answer->Protocol != ProtocolVersion)
    return makeError("the program speaks version {} of hotjit's protocol, this "
                     "is version {}; use the hotjit that started it",
                     Answer->Protocol, ProtocolVersion);
  return Answer;
}

Error Client::wait(short Events) {
  pollfd P = {Socket.get(), Events, 0};
  while (::poll(&P, 1, -1) < 0)
    if (errno != EINTR)
      return makeError("poll: {}", std::strerror(errno));
  return Error::success();
}

Error Client::send(StringRef Method, json::Value Params, OnAnswer Then) {
  int64_t Id = ++LastId;
  std::string Bytes = frame(makeRequest(Id, Method, std::move(Params)));
  StringRef Rest = Bytes;
  while (!Rest.empty()) {
    ssize_t Size = ::send(Socket.get(), Rest.data(), Rest.size(), MSG_NOSIGNAL);
    if (Size >= 0) {
      Rest = Rest.drop_front(Size);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR)
      return makeError("the program has closed the connection");
    if (Error E = wait(POLLOUT))
      return E;
  }
  Waiting.emplace(Id, std::move(Then));
  return Error::success();
}

Error Client::handle(StringRef Body) {
  Expected<json::Value> V = parseBody(Body, AnswerLimits);
  Expected<Message> M = V ? parseMessage(std::move(*V)) : V.takeError();
  if (!M)
    return M.takeError();
  if (M->What == Message::Kind::Notification) {
    if (std::optional<Event> E = eventOfNotification(M->Method, M->Params))
      Listener(*E);
    return Error::success();
  }
  std::optional<int64_t> Id = M->Id.getAsInteger();
  auto Found = Id ? Waiting.find(*Id) : Waiting.end();
  if (Found == Waiting.end()) {
    // Without an id it is about the connection: it ends it.
    if (M->What == Message::Kind::Failure)
      return makeError("{}", M->Text);
    return Error::success();
  }
  OnAnswer Then = std::move(Found->second);
  Waiting.erase(Found);
  if (M->What == Message::Kind::Failure)
    Then(make_error<lsp::LSPError>(M->Text,
                                   static_cast<lsp::ErrorCode>(M->ErrorCode)));
  else
    Then(std::move(M->Result));
  return Error::success();
}

Error Client::receive() {
  char Buffer[ReadSize];
  while (true) {
    ssize_t Size = ::recv(Socket.get(), Buffer, sizeof(Buffer), MSG_DONTWAIT);
    if (Size < 0 && errno == EINTR)
      continue;
    if (Size < 0 && errno == EAGAIN)
      return Error::success();
    if (Size <= 0)
      return makeError("the program has closed the connection");
    Input.append(StringRef(Buffer, Size));
    while (true) {
      Expected<std::optional<std::string>> Body = Input.next();
      if (!Body)
        return Body.takeError();
      if (!*Body)
        break;
      if (Error E = handle(**Body))
        return E;
    }
  }
}

Expected<json::Value> Client::ask(StringRef Method, json::Value Params) {
  // Shared: an answer that comes after an early return finds it alive.
  auto Answer = std::make_shared<std::optional<Expected<json::Value>>>();
  if (Error E =
          send(Method, std::move(Params), [Answer](Expected<json::Value> V) {
            Answer->emplace(std::move(V));
          }))
    return std::move(E);
  while (true) {
    Error Lost = receive();
    if (*Answer) {
      consumeError(std::move(Lost)); // the next use will find it
      return std::move(**Answer);
    }
    if (Lost)
      return std::move(Lost);
    if (Error E = wait(POLLIN))
      return std::move(E);
  }
}
