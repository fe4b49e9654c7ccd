// The engine's end of the socket, inside the user's program.
//
// One thread owns the descriptors and everything that is read from them; other
// threads only append to the queues of what is to be written, under one short
// lock, and wake the poll. So a client that stalls costs its queue (bounded:
// beyond the limit it is dropped), a client that floods is not read any more
// while its requests wait for answers, one that only connects gives way to one
// that speaks, and the lock is never held while the handler, or anything else
// that could take time, is called.
//
//   engine threads                      wire thread
//   broadcast / Reply                   poll
//      lock: append to Out                 lock: take a snapshot of who wants
//      what wake  ------------------------->    read, decode, call Handle (no
//      lock)
//                                          lock: write what the socket takes

#include "Wire/Server.h"
#include "Support/Error.h"
#include "Support/Thread.h"
#include "Wire/Descriptor.h"
#include "Wire/Framing.h"
#include "Wire/JsonRpc.h"
#include "Wire/UnixSocket.h"
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

// A client with so many requests in flight is not read until answers are out:
// more would only make the engine's queue longer.
static constexpr unsigned MaxInFlight = 64;
// Read per client and round, so that clients take turns.
static constexpr size_t ReadSize = 64 << 10;

namespace {

struct Connection {
  Connection(uint64_t Id, Descriptor Socket, size_t MaxBody)
      : Id(Id), Socket(std::move(Socket)), Input(MaxBody) {}

  const uint64_t Id;

  // Wire thread only.
  Descriptor Socket;
  FrameDecoder Input;
  bool Deaf = false;    ///< nothing more is read: after an error or a goodbye
  bool HasMore = false; ///< Input may hold whole messages: they had to wait

  // Guarded by State::M.
  std::string Out;
  unsigned InFlight = 0; ///< requests without an answer yet
  bool Greeted = false;  ///< has sent initialize
  bool Closing = false;  ///< close when Out is written
  bool Gone = false;     ///< close now
  size_t Lost = 0;       ///< bytes of Out that it was dropped for
};

} // namespace

struct Server::State {
  State(ServerOptions Options, Handler Handle, Log &L)
      : Options(std::move(Options)), Handle(std::move(Handle)), L(L) {}

  const ServerOptions Options;
  const Handler Handle;
  Log &L;
  Descriptor Listening;
  Descriptor Wake;
  Thread Worker;
  dev_t Device = 0; ///< of the socket's file, to remove no other
  ino_t Inode = 0;

  std::mutex M;
  std::list<Connection> Clients; ///< changed by the wire thread only, under M
  size_t Unread = 0;             ///< bytes of all queues
  size_t Unanswered = 0;         ///< bytes of requests that the engine has
  bool Stop = false;

  // Wire thread only.
  uint64_t LastId = 0;
  bool CannotAccept = false; ///< out of descriptors: until something happens
  std::weak_ptr<State> Self;

  void wake();
  void enqueue(Connection &C, const std::string &Bytes);
  void lose(Connection &C);
  bool mayRead(const Connection &C) const;
  void send(uint64_t Client, const json::Value &Message,
            std::optional<size_t> Answers);
  void run();
  std::vector<pollfd> interests();
  void acceptOne();
  void readFrom(Connection &C);
  void decode(Connection &C);
  void limitUnfinished();
  void handleBody(Connection &C, StringRef Body);
  void handleMessage(Connection &C, Message M, size_t Memory);
  bool answerItself(Connection &C, Message &Call, Reply &Answer);
  void writeTo(Connection &C);
  void refuse(Connection &C, Error Why);
  void drop(Connection &C);
  void closeFinished();
  void removeSocket();
};

//===-- Reply -------------------------------------------------------------===//

struct Reply::Target {
  std::weak_ptr<Server::State> To;
  uint64_t Client = 0;
  std::optional<json::Value> Id; ///< none: a notification
  size_t Memory = 0;             ///< that the request takes until then
};

Reply::Reply(std::unique_ptr<Target> To) : To(std::move(To)) {}

Reply::Reply() = default;
Reply::Reply(Reply &&Other) = default;

Reply &Reply::operator=(Reply &&Other) {
  std::swap(To, Other.To);
  return *this;
}

Reply::~Reply() {
  if (To)
    (*this)(make_error<lsp::LSPError>("the engine gave no answer",
                                      lsp::ErrorCode::InternalError));
}

void Reply::operator()(Expected<json::Value> Result) {
  std::unique_ptr<Target> Where = std::move(To);
  std::shared_ptr<Server::State> S = Where ? Where->To.lock() : nullptr;
  if (!S) {
    if (!Result)
      consumeError(Result.takeError());
    return;
  }
  if (Where->Id)
    return S->send(Where->Client,
                   makeResponse(std::move(*Where->Id), std::move(Result)),
                   Where->Memory);
  if (!Result)
    consumeError(Result.takeError());
  S->send(Where->Client, nullptr, Where->Memory);
}

//===-- From any thread ---------------------------------------------------===//

void Server::State::wake() {
  uint64_t One = 1;
  // Fails only if the counter is full, and then the poll wakes anyway.
  [[maybe_unused]] ssize_t Written = ::write(Wake.get(), &One, sizeof(One));
}

/// M is held.
void Server::State::enqueue(Connection &C, const std::string &Bytes) {
  if (C.Gone || C.Closing)
    return;
  C.Out += Bytes;
  Unread += Bytes.size();
  if (C.Out.size() > Options.Limits.MaxQueue)
    lose(C);
  while (Unread > Options.Limits.MaxUnread)
    lose(*max_element(Clients, [](const Connection &A, const Connection &B) {
      return A.Out.size() < B.Out.size();
    }));
}

/// M is held. Drops a client for what it has not read.
void Server::State::lose(Connection &C) {
  C.Gone = true; // closed and logged by the wire thread
  C.Lost = C.Out.size();
  Unread -= C.Out.size();
  C.Out.clear();
  C.Out.shrink_to_fit();
}

/// M is held.
bool Server::State::mayRead(const Connection &C) const {
  return !C.Deaf && C.InFlight < MaxInFlight &&
         Unanswered < Options.Limits.MaxUnanswered;
}

/// Answers: a request, which took so much memory, is not in flight any more. A
/// null message only says that.
void Server::State::send(uint64_t Client, const json::Value &Message,
                         std::optional<size_t> Answers) {
  std::string Bytes;
  if (Message.kind() != json::Value::Null)
    Bytes = frame(Message);
  {
    std::lock_guard Lock(M);
    Unanswered -= Answers.value_or(0);
    for (Connection &C : Clients) {
      if (C.Id != Client)
        continue;
      if (Answers)
        --C.InFlight;
      enqueue(C, Bytes);
    }
  }
  wake();
}

void Server::broadcast(const Event &E) {
  std::string Bytes =
      frame(makeNotification(notificationMethod(E.What), toJSON(E)));
  {
    std::lock_guard Lock(S->M);
    for (Connection &C : S->Clients)
      if (C.Greeted)
        S->enqueue(C, Bytes);
  }
  S->wake();
}

void Server::drain(std::chrono::milliseconds AtMost) {
  auto Until = std::chrono::steady_clock::now() + AtMost;
  auto IsDrained = [this] {
    std::lock_guard Lock(S->M);
    return llvm::all_of(S->Clients,
                        [](const Connection &C) { return C.Out.empty(); });
  };
  while (!IsDrained() && std::chrono::steady_clock::now() < Until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

size_t Server::clients() const {
  std::lock_guard Lock(S->M);
  return S->Clients.size();
}

const std::string &Server::path() const { return S->Options.SocketPath; }

Error hotjit::wire::methodNotFound(StringRef Method) {
  return make_error<lsp::LSPError>(("unknown method '" + Method + "'").str(),
                                   lsp::ErrorCode::MethodNotFound);
}

//===-- The wire thread ---------------------------------------------------===//

/// The first two are the wake-up and the listening socket, then one for each
/// client, in order.
std::vector<pollfd> Server::State::interests() {
  std::vector<pollfd> Polls;
  std::lock_guard Lock(M);
  bool Accepting = !CannotAccept && Clients.size() <= Options.Limits.MaxClients;
  Polls.push_back({Wake.get(), POLLIN, 0});
  Polls.push_back({Accepting ? Listening.get() : -1, POLLIN, 0});
  for (Connection &C : Clients) {
    short Wanted = 0;
    if (mayRead(C) && !C.HasMore)
      Wanted |= POLLIN;
    if (!C.Out.empty())
      Wanted |= POLLOUT;
    Polls.push_back({C.Socket.get(), Wanted, 0});
  }
  return Polls;
}

void Server::State::run() {
  while (true) {
    std::vector<pollfd> Polls = interests();
    if (::poll(Polls.data(), Polls.size(), -1) < 0 && errno != EINTR) {
      // More than RLIMIT_NOFILE, which the program has lowered.
      L.error("socket: poll: {}", std::strerror(errno));
      if (Clients.empty())
        return;
      drop(Clients.back());
      closeFinished();
      continue;
    }
    uint64_t Count;
    if (::read(Wake.get(), &Count, sizeof(Count)) > 0)
      CannotAccept = false; // something happened: try again
    size_t I = 2;
    // Only this thread adds or removes clients: walking needs no lock.
    for (Connection &C : Clients) {
      short Ready = Polls[I++].revents;
      if (Ready & POLLIN)
        readFrom(C);
      else if (Ready & (POLLHUP | POLLERR | POLLNVAL))
        drop(C);
      if (C.HasMore)
        decode(C);
      writeTo(C);
    }
    if (Polls[1].revents & POLLIN)
      acceptOne();
    closeFinished();
    std::lock_guard Lock(M);
    if (Stop)
      return;
  }
}

/// One in each round, so that a client whose first request came with it has
/// been read before many others connect.
void Server::State::acceptOne() {
  Descriptor Socket(::accept4(Listening.get(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!Socket) {
    // Anything but "nobody there" would come again at once and for ever.
    CannotAccept = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
    if (CannotAccept)
      L.warning("socket: accept: {}", std::strerror(errno));
    return;
  }
  if (!peerIsSameUser(Socket.get())) {
    L.warning("socket: refused a client of another user");
    return;
  }
  Connection *TooMany = nullptr;
  {
    std::lock_guard Lock(M);
    Clients.emplace_back(++LastId, std::move(Socket), Options.Limits.MaxBody);
    if (Clients.size() > Options.Limits.MaxClients)
      TooMany = &*find_if(Clients, [](const Connection &C) {
        return !C.Greeted && !C.Gone && !C.Closing; // The new one at least.
      });
  }
  if (TooMany)
    refuse(*TooMany,
           make_error<lsp::LSPError>("too many clients", RequestFailed));
}

/// Answers with an error that belongs to no request, and closes.
void Server::State::refuse(Connection &C, Error Why) {
  std::string Bytes = frame(makeResponse(nullptr, std::move(Why)));
  C.Deaf = true;
  {
    std::lock_guard Lock(M);
    enqueue(C, Bytes);
    C.Closing = true;
  }
  writeTo(C);
}

void Server::State::drop(Connection &C) {
  std::lock_guard Lock(M);
  C.Gone = true;
}

void Server::State::readFrom(Connection &C) {
  char Buffer[ReadSize];
  ssize_t Size = ::recv(C.Socket.get(), Buffer, sizeof(Buffer), MSG_DONTWAIT);
  if (Size < 0) {
    if (errno != EAGAIN && errno != EINTR)
      drop(C);
    return;
  }
  if (Size == 0) {
    C.Deaf = true; // it may still wait for answers: closeFinished() knows
    return;
  }
  C.Input.append(StringRef(Buffer, Size));
  decode(C);
  limitUnfinished();
}

/// Handles the messages that have come, as long as more requests are welcome.
void Server::State::decode(Connection &C) {
  C.HasMore = false;
  while (!C.Deaf) {
    {
      std::lock_guard Lock(M);
      C.HasMore = !mayRead(C); // Until an answer is out, which wakes the poll.
    }
    if (C.HasMore)
      return;
    Expected<std::optional<std::string>> Body = C.Input.next();
    if (!Body)
      return refuse(C,
                    make_error<lsp::LSPError>(toString(Body.takeError()),
                                              lsp::ErrorCode::InvalidRequest));
    if (!*Body)
      return;
    handleBody(C, **Body);
  }
}

void Server::State::limitUnfinished() {
  size_t Size = 0;
  Connection *Most = nullptr;
  for (Connection &C : Clients) {
    if (C.Deaf)
      continue;
    Size += C.Input.size();
    if (!Most || C.Input.size() > Most->Input.size())
      Most = &C;
  }
  if (Size > Options.Limits.MaxUnfinished)
    refuse(*Most, make_error<lsp::LSPError>("too much of unfinished messages",
                                            lsp::ErrorCode::InvalidRequest));
}

void Server::State::handleBody(Connection &C, StringRef Body) {
  Expected<json::Value> V = parseBody(Body);
  Expected<Message> M = V ? parseMessage(std::move(*V)) : V.takeError();
  if (!M)
    return send(C.Id, makeResponse(nullptr, M.takeError()), std::nullopt);
  handleMessage(C, std::move(*M), Body.size() + shapeOf(Body).memory());
}

void Server::State::handleMessage(Connection &C, Message Call, size_t Memory) {
  if (Call.What != Message::Kind::Request &&
      Call.What != Message::Kind::Notification)
    return; // an answer: we never ask
  {
    std::lock_guard Lock(M);
    ++C.InFlight;
    Unanswered += Memory;
  }
  std::optional<json::Value> Id;
  if (Call.What == Message::Kind::Request)
    Id = std::move(Call.Id);
  Reply Answer(std::make_unique<Reply::Target>(
      Reply::Target{Self, C.Id, std::move(Id), Memory}));
  if (!answerItself(C, Call, Answer))
    Handle(Call.Method, Call.Params, std::move(Answer));
}

bool Server::State::answerItself(Connection &C, Message &Call, Reply &Answer) {
  if (Call.Method == method::Initialize) {
    Expected<InitializeParams> P =
        parse<InitializeParams>(Call.Params, "params");
    if (!P) {
      Answer(P.takeError());
      return true;
    }
    L.debug("socket: client {}: {}", C.Id, P->Client);
    Answer(toJSON(Options.Greeting));
    std::lock_guard Lock(M);
    C.Greeted = true;
    return true;
  }
  if (Call.Method == method::Shutdown) {
    Answer(nullptr);
    C.Deaf = true;
    std::lock_guard Lock(M);
    C.Closing = true;
    return true;
  }
  if (!C.Greeted) { // written by this thread only
    Answer(make_error<lsp::LSPError>("send 'initialize' first",
                                     lsp::ErrorCode::ServerNotInitialized));
    return true;
  }
  return false;
}

void Server::State::writeTo(Connection &C) {
  std::lock_guard Lock(M);
  while (!C.Out.empty() && !C.Gone) {
    ssize_t Size = ::send(C.Socket.get(), C.Out.data(), C.Out.size(),
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    if (Size < 0 && errno == EINTR)
      continue;
    if (Size < 0) {
      C.Gone = errno != EAGAIN;
      return;
    }
    C.Out.erase(0, Size);
    Unread -= Size;
  }
  if (C.Out.empty())
    C.Out.shrink_to_fit();
}

void Server::State::closeFinished() {
  std::list<Connection> Closed; // destroyed, and so closed, without the lock
  {
    std::lock_guard Lock(M);
    for (auto I = Clients.begin(); I != Clients.end();) {
      auto Next = std::next(I);
      bool SaysNoMore = I->Deaf && I->InFlight == 0; // its last answer is out
      if (I->Gone || (I->Out.empty() && (I->Closing || SaysNoMore))) {
        Unread -= I->Out.size();
        Closed.splice(Closed.end(), Clients, I);
      }
      I = Next;
    }
  }
  if (Closed.empty())
    return;
  CannotAccept = false;
  for (Connection &C : Closed)
    if (C.Lost)
      L.warning("socket: dropped client {}, which has not read {} bytes", C.Id,
                C.Lost);
}

//===-- Start and end -----------------------------------------------------===//

Server::Server(std::shared_ptr<State> S) : S(std::move(S)) {}

Expected<std::unique_ptr<Server>> Server::create(ServerOptions Options,
                                                 Handler Handle, Log &L) {
  auto S = std::make_shared<State>(std::move(Options), std::move(Handle), L);
  S->Self = S;
  Expected<Descriptor> Listening = listenAt(S->Options.SocketPath);
  if (!Listening)
    return Listening.takeError();
  S->Listening = std::move(*Listening);
  struct stat File;
  if (::lstat(S->Options.SocketPath.c_str(), &File) == 0) {
    S->Device = File.st_dev;
    S->Inode = File.st_ino;
  }
  S->Wake = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));

  if (!S->Wake) {
    S->removeSocket();
    return makeError("eventfd: {}", std::strerror(errno));
  }
  Expected<Thread> Worker =
      Thread::start("hotjit-wire", [Raw = S.get()] { Raw->run(); });
  if (!Worker) {
    S->removeSocket();
    return Worker.takeError();
  }
  S->Worker = std::move(*Worker);
  return std::unique_ptr<Server>(new Server(std::move(S)));
}

/// Another process may have put its own there since: then that one stays.
void Server::State::removeSocket() {
  struct stat File;
  const char *Path = Options.SocketPath.c_str();
  if (::lstat(Path, &File) == 0 && File.st_dev == Device &&
      File.st_ino == Inode)
    ::unlink(Path);
}

Server::~Server() {
  {
    std::lock_guard Lock(S->M);
    S->Stop = true;
  }
  S->removeSocket();
  S->wake();
  S->Worker.join();
}
