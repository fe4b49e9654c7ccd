#include "Wire/Server.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include "Support/Error.h"
#include "Wire/Client.h"
#include "Wire/UnixSocket.h"
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>

using namespace hotjit;
using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

/// Keeps the answers that a handler owes, so that a test gives them.
class Owed {
public:
  void add(Reply R) {
    std::lock_guard Lock(M);
    Replies.push_back(std::move(R));
    Added.notify_all();
  }
  Reply take() {
    std::unique_lock Lock(M);
    Added.wait(Lock, [&] { return !Replies.empty(); });
    Reply R = std::move(Replies.front());
    Replies.erase(Replies.begin());
    return R;
  }
  size_t waitFor(size_t Count) {
    std::unique_lock Lock(M);
    Added.wait(Lock, [&] { return Replies.size() >= Count; });
    return Replies.size();
  }

private:
  std::mutex M;
  std::condition_variable Added;
  std::vector<Reply> Replies;
};

class ServerTest : public testing::Test {
protected:
  std::string path() { return Top / "s.sock"; }

  void serve(ServerLimits Limits = {}) {
    ServerOptions Options;
    Options.SocketPath = path();
    Options.Greeting.Version = "test";
    Options.Limits = Limits;
    Expected<std::unique_ptr<Server>> Made = Server::create(
        Options,
        [this](StringRef Method, const json::Value &Params, Reply R) {
          if (Method == "echo")
            return R(json::Value(Params));
          if (Method == "owe")
            return Debts.add(std::move(R));
          if (Method == "forget")
            return;
          R(methodNotFound(Method));
        },
        L);
    ASSERT_TRUE(static_cast<bool>(Made)) << toString(Made.takeError());
    S = std::move(*Made);
  }

  std::unique_ptr<Client> connect() {
    Expected<std::unique_ptr<Client>> C = Client::connect(
        path(), [this](const Event &E) { Seen.push_back(E.What); });
    EXPECT_TRUE(static_cast<bool>(C));
    EXPECT_EQ(messageOf((*C)->initialize("test")), "");
    return std::move(*C);
  }

  /// Sends bytes, then reads until the server closes.
  std::string talk(StringRef Bytes) {
    Expected<Descriptor> D = connectTo(path());
    EXPECT_TRUE(static_cast<bool>(D));
    EXPECT_EQ(::send(D->get(), Bytes.data(), Bytes.size(), MSG_NOSIGNAL),
              ssize_t(Bytes.size()));
    ::shutdown(D->get(), SHUT_WR);
    return readAll(D->get());
  }

  static std::string readAll(int Socket) {
    std::string All;
    char Buffer[4096];
    while (true) {
      pollfd P = {Socket, POLLIN, 0};
      ::poll(&P, 1, -1);
      ssize_t Size = ::recv(Socket, Buffer, sizeof(Buffer), 0);
      if (Size <= 0)
        return All;
      All.append(Buffer, Size);
    }
  }

  TemporaryFolder Top;
  Log L;
  Owed Debts;
  std::vector<Event::Kind> Seen;
  std::unique_ptr<Server> S;
};

Event event(Event::Kind K) {
  Event E;
  E.What = K;
  return E;
}

TEST_F(ServerTest, GreetsAndAnswers) {
  serve();
  auto C = connect();
  ASSERT_GET(json::Value V, C->ask("echo", json::Object{{"a", 1}}));
  EXPECT_EQ(V, json::Value(json::Object{{"a", 1}}));
}

TEST_F(ServerTest, UnknownMethodsAreErrors) {
  serve();
  auto C = connect();
  Error E = C->ask("nonsense").takeError();
  ASSERT_TRUE(E.isA<lsp::LSPError>());
  handleAllErrors(std::move(E), [](const lsp::LSPError &L) {
    EXPECT_EQ(L.code, lsp::ErrorCode::MethodNotFound);
  });
}

TEST_F(ServerTest, AnswersOnAnyThreadInAnyOrder) {
  serve();
  auto C = connect();
  std::vector<int> Order;
  for (int I : {1, 2})
    EXPECT_EQ(messageOf(C->send("owe", nullptr,
                                [&Order, I](Expected<json::Value> V) {
                                  EXPECT_TRUE(static_cast<bool>(V));
                                  Order.push_back(I);
                                })),
              "");
  Reply First = Debts.take(), Second = Debts.take();
  std::thread([&] { Second(nullptr); }).join();
  First(nullptr);
  EXPECT_EQ(messageOf(C->ask("echo")), ""); // behind both answers
  EXPECT_THAT(Order, testing::ElementsAre(2, 1));
}

TEST_F(ServerTest, AForgottenAnswerIsAnError) {
  serve();
  auto C = connect();
  EXPECT_THAT(messageOf(C->ask("forget")), HasSubstr("no answer"));
}

TEST_F(ServerTest, EventsAndAnswersOfOneThreadKeepTheirOrder) {
  serve();
  auto C = connect();
  EXPECT_EQ(messageOf(C->send("owe", nullptr,
                              [&](Expected<json::Value> V) {
                                consumeError(V.takeError());
                                EXPECT_THAT(Seen, testing::ElementsAre(
                                                      Event::Kind::Paused));
                                Seen.clear();
                              })),
            "");
  Reply R = Debts.take();
  S->broadcast(event(Event::Kind::Paused));
  R(nullptr);
  S->broadcast(event(Event::Kind::Resumed));
  EXPECT_EQ(messageOf(C->ask("echo")), "");
  EXPECT_THAT(Seen, testing::ElementsAre(Event::Kind::Resumed));
}

TEST_F(ServerTest, EventsGoToThoseWhoHaveGreeted) {
  serve();
  ASSERT_GET(Descriptor Silent, connectTo(path()));
  auto C = connect();
  S->broadcast(event(Event::Kind::Paused));
  EXPECT_EQ(messageOf(C->ask("echo")), "");
  EXPECT_EQ(Seen.size(), 1u);
  S.reset();
  EXPECT_EQ(readAll(Silent.get()), "");
}

TEST_F(ServerTest, RequestsBeforeInitializeAreRefused) {
  serve();
  EXPECT_THAT(talk(frame(makeRequest(1, "echo", nullptr))),
              HasSubstr("\"code\":-32002"));
}

TEST_F(ServerTest, MalformedInputGetsAnErrorAndLeavesTheServerAlive) {
  serve();
  EXPECT_THAT(talk("Content-Length: 1\r\n\r\n{"), HasSubstr("-32700"));
  EXPECT_THAT(talk("Content-Length: 3\r\n\r\n\"\xff\""), HasSubstr("-32700"));
  EXPECT_THAT(talk("Content-Length: 2\r\n\r\n[]"), HasSubstr("-32600"));
  EXPECT_THAT(talk("Content-Length: x\r\n\r\n"), HasSubstr("-32600"));
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("-32600"));
  EXPECT_THAT(talk(std::string(5000, 'A')), HasSubstr("-32600"));
  EXPECT_THAT(talk("Content-Length: 999999999\r\n\r\n"), HasSubstr("at most"));
  std::string Deep(100000, '[');
  EXPECT_THAT(talk("Content-Length: 100000\r\n\r\n" + Deep),
              HasSubstr("nested deeper"));
  EXPECT_EQ(talk("Content-Length: 50\r\n\r\n{\"jsonrpc\""), "");
  auto C = connect();
  EXPECT_EQ(messageOf(C->ask("echo")), "");
}

TEST_F(ServerTest, ABadBodyCostsOneMessageOnly) {
  serve();
  std::string Answer = talk("Content-Length: 1\r\n\r\n{" +
                            frame(makeRequest(9, "initialize", nullptr)));
  EXPECT_THAT(Answer, HasSubstr("-32700"));
  EXPECT_THAT(Answer, HasSubstr("\"id\":9"));
}

TEST_F(ServerTest, AClientThatDiesMidRequestIsForgotten) {
  serve();
  auto C = connect();
  auto Other = connect();
  EXPECT_EQ(messageOf(C->send("owe", nullptr, [](Expected<json::Value>) {})),
            "");
  Reply R = Debts.take();
  C.reset();
  EXPECT_EQ(messageOf(Other->ask("echo")), "");
  R(nullptr);
  // The end is seen in the round in which it comes, or in the next ones.
  for (int I = 0; I < 10 && S->clients() > 1; ++I)
    EXPECT_EQ(messageOf(Other->ask("echo")), "");
  EXPECT_EQ(S->clients(), 1u);
}

TEST_F(ServerTest, AStalledClientIsDroppedAndDelaysNobody) {
  ServerLimits Limits;
  Limits.MaxQueue = 64 << 10;
  serve(Limits);
  auto Stalled = connect();
  auto C = connect();
  Event Big = event(Event::Kind::Off);
  Big.Message.assign(16 << 10, 'x');
  // What the kernel buffers is a few hundred kilobytes.
  for (int I = 0; I < 200; ++I) {
    S->broadcast(Big);
    ASSERT_EQ(messageOf(C->ask("echo")), "");
  }
  EXPECT_EQ(S->clients(), 1u);
  EXPECT_EQ(Seen.size(), 200u);
  // It may read what was on its way, and then sees the end.
  std::string Lost = messageOf(Stalled->ask("echo"));
  EXPECT_THAT(Lost, HasSubstr("closed the connection"));
}

TEST_F(ServerTest, AClientThatFloodsIsNotReadUntilAnswersAreOut) {
  serve();
  auto C = connect();
  auto Other = connect();
  auto Ask = [&](int Times) {
    for (int I = 0; I < Times; ++I)
      EXPECT_EQ(
          messageOf(C->send("owe", nullptr, [](Expected<json::Value>) {})), "");
  };
  Ask(64);
  EXPECT_EQ(Debts.waitFor(64), 64u);
  Ask(10);
  // Others are served, and the server has been round twice since.
  EXPECT_EQ(messageOf(Other->ask("echo")), "");
  EXPECT_EQ(messageOf(Other->ask("echo")), "");
  EXPECT_EQ(Debts.waitFor(64), 64u);
  for (int I = 0; I < 74; ++I)
    Debts.take()(nullptr);
  EXPECT_EQ(messageOf(C->ask("echo")), "");
}

TEST_F(ServerTest, TooManyClientsAreTold) {
  ServerLimits Limits;
  Limits.MaxClients = 1;
  serve(Limits);
  auto C = connect();
  ASSERT_GET(Descriptor D, connectTo(path()));
  EXPECT_THAT(readAll(D.get()), HasSubstr("too many clients"));
  EXPECT_EQ(messageOf(C->ask("echo")), "");
}

TEST_F(ServerTest, WhoSaysNothingGivesWayToWhoComesNew) {
  ServerLimits Limits;
  Limits.MaxClients = 2;
  serve(Limits);
  auto C = connect();
  ASSERT_GET(Descriptor First, connectTo(path()));
  ASSERT_GET(Descriptor Second, connectTo(path()));
  auto New = connect();
  EXPECT_THAT(readAll(First.get()), HasSubstr("too many clients"));
  EXPECT_THAT(readAll(Second.get()), HasSubstr("too many clients"));
  EXPECT_EQ(messageOf(C->ask("echo")), "");
  EXPECT_EQ(messageOf(New->ask("echo")), "");
}

TEST_F(ServerTest, AFloodInOnePieceWaitsForAnswersToo) {
  serve();
  auto Other = connect();
  ASSERT_GET(Descriptor D, connectTo(path()));
  std::string Flood = frame(makeRequest(0, "initialize", nullptr));
  for (int I = 1; I <= 200; ++I)
    Flood += frame(makeRequest(I, "owe", nullptr));
  ASSERT_EQ(::send(D.get(), Flood.data(), Flood.size(), MSG_NOSIGNAL),
            ssize_t(Flood.size()));
  ::shutdown(D.get(), SHUT_WR);
  EXPECT_EQ(Debts.waitFor(64), 64u);
  EXPECT_EQ(messageOf(Other->ask("echo")), "");
  EXPECT_EQ(Debts.waitFor(64), 64u);
  for (int I = 0; I < 200; ++I)
    Debts.take()(nullptr);
  EXPECT_THAT(readAll(D.get()), HasSubstr("\"id\":200"));
}

TEST_F(ServerTest, WhatTheEngineOwesAllClientsIsBounded) {
  ServerLimits Limits;
  Limits.MaxUnanswered = 30000;
  serve(Limits);
  auto C = connect();
  auto Other = connect();
  std::string Long(15000, 'x');
  auto Owe = [&] {
    EXPECT_EQ(messageOf(C->send("owe", json::Array{Long},
                                [](Expected<json::Value>) {})),
              "");
  };
  Owe();
  Owe();
  EXPECT_EQ(Debts.waitFor(2), 2u);
  Owe();
  bool IsAnswered = false;
  EXPECT_EQ(messageOf(Other->send("echo", nullptr,
                                  [&](Expected<json::Value> V) {
                                    consumeError(V.takeError());
                                    IsAnswered = true;
                                  })),
            "");
  S->broadcast(event(Event::Kind::Paused)); // The server goes round for it.
  while (Seen.empty())
    EXPECT_EQ(messageOf(Other->receive()), "");
  EXPECT_FALSE(IsAnswered);
  EXPECT_EQ(Debts.waitFor(2), 2u);
  Debts.take()(nullptr);
  Debts.take()(nullptr);
  EXPECT_EQ(messageOf(Other->ask("echo")), "");
  EXPECT_TRUE(IsAnswered);
  Debts.take()(nullptr);
}

TEST_F(ServerTest, UnfinishedMessagesOfAllClientsAreBounded) {
  ServerLimits Limits;
  Limits.MaxUnfinished = 100000;
  serve(Limits);
  auto C = connect();
  auto Begin = [&](Descriptor &D, size_t Size) {
    std::string Part = "Content-Length: 90000\r\n\r\n" + std::string(Size, ' ');
    EXPECT_EQ(::send(D.get(), Part.data(), Part.size(), MSG_NOSIGNAL),
              ssize_t(Part.size()));
    EXPECT_EQ(messageOf(C->ask("echo")), "");
  };
  ASSERT_GET(Descriptor Most, connectTo(path()));
  ASSERT_GET(Descriptor Less, connectTo(path()));
  Begin(Most, 60000);
  Begin(Less, 50000);
  EXPECT_THAT(readAll(Most.get()), HasSubstr("too much of unfinished"));
  EXPECT_EQ(messageOf(C->ask("echo")), "");
  EXPECT_EQ(S->clients(), 2u);
}

TEST_F(ServerTest, WhatAllClientsHaveNotReadIsBounded) {
  ServerLimits Limits;
  Limits.MaxUnread = 256 << 10;
  serve(Limits);
  auto First = connect(), Second = connect();
  auto C = connect();
  Event Big = event(Event::Kind::Off);
  Big.Message.assign(16 << 10, 'x');
  for (int I = 0; I < 200; ++I) {
    S->broadcast(Big);
    ASSERT_EQ(messageOf(C->ask("echo")), "");
  }
  EXPECT_EQ(Seen.size(), 200u);
  // 3 MiB for each of the two are neither in the kernel nor allowed here.
  EXPECT_LT(S->clients(), 3u);
}

TEST_F(ServerTest, ShutdownIsAnsweredAndEndsTheConnection) {
  serve();
  auto C = connect();
  ASSERT_GET(json::Value V, C->ask(method::Shutdown));
  EXPECT_EQ(V, json::Value(nullptr));
  EXPECT_THAT(messageOf(C->ask("echo")), HasSubstr("closed the connection"));
}

TEST_F(ServerTest, NotificationsGetNoAnswer) {
  serve();
  std::string Answer = talk(frame(makeRequest(1, "initialize", nullptr)) +
                            frame(makeNotification("nonsense", nullptr)) +
                            frame(makeRequest(2, "echo", nullptr)));
  EXPECT_THAT(Answer, HasSubstr("\"id\":2"));
  EXPECT_THAT(Answer, testing::Not(HasSubstr("error")));
}

TEST_F(ServerTest, TheSocketGoesWithTheServer) {
  serve();
  S.reset();
  struct stat File;
  EXPECT_NE(::lstat(path().c_str(), &File), 0);
}

TEST_F(ServerTest, ASocketOfAnotherProcessStays) {
  serve();
  ASSERT_EQ(::unlink(path().c_str()), 0);
  ASSERT_GET(Descriptor Other, listenAt(path()));
  S.reset();
  EXPECT_EQ(messageOf(connectTo(path())), "");
}

TEST_F(ServerTest, AnswersAfterTheEndGoNowhere) {
  serve();
  auto C = connect();
  EXPECT_EQ(messageOf(C->send("owe", nullptr, [](Expected<json::Value>) {})),
            "");
  Reply R = Debts.take();
  S.reset();
  R(nullptr);
  Reply Empty;
  Empty(makeError("of nobody"));
}

TEST_F(ServerTest, AClientOfAnotherUserIsRefused) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can become another user";
  serve();
  ::chmod(Top.path().c_str(), 0755);
  ::chmod(path().c_str(), 0666);
  // Only this thread changes its user: the libc call would change all.
  std::string Got = "not connected";
  std::thread([&] {
    ::syscall(SYS_setresuid, 12345, 12345, 12345);
    Expected<Descriptor> D = connectTo(path());
    if (D)
      Got = readAll(D->get());
    else
      Got = toString(D.takeError());
  }).join();
  EXPECT_EQ(Got, "");
  EXPECT_EQ(S->clients(), 0u);
}

} // namespace
