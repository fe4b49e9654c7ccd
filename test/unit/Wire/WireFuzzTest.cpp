// J6: bytes that are no messages, from a seed, through all that reads them: the
// decoder, the parser, the members of every type. test/fuzz/socket does the
// same with a program that runs; here the sanitizers look on.

#include "ErrorMatchers.h"

#include "Wire/Framing.h"
#include "Wire/JsonRpc.h"
#include "Wire/Protocol.h"
#include <random>

using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;

namespace {

constexpr size_t MaxBody = 4096;

class Fuzz {
public:
  explicit Fuzz(unsigned Seed) : Random(Seed) {}

  size_t below(size_t Bound) { return Random() % Bound; }

  /// A message of ours.
  std::string message() {
    Event E;
    E.What = static_cast<Event::Kind>(below(unsigned(Event::Kind::Off) + 1));
    E.Files = {"/src/a.cpp"};
    E.Verdicts = {Verdict()};
    E.Items = {Diagnostic()};
    E.Times = Timings();
    switch (below(5)) {
    case 0:
      return frame(makeRequest(1, method::Initialize,
                               toJSON(InitializeParams{1, "vim"})));
    case 1:
      return frame(
          makeRequest("a", method::Reload, toJSON(ReloadParams{{"/a", "/b"}})));
    case 2:
      return frame(makeNotification(method::DidChange,
                                    toJSON(DidChangeParams{"/a", "int x;\n"})));
    case 3:
      return frame(makeResponse(2, toJSON(LogReply{{E, E}})));
    default:
      return frame(makeNotification(notificationMethod(E.What), toJSON(E)));
    }
  }

  void damage(std::string &Bytes) {
    static constexpr StringLiteral Parts[] = {
        "{",     "}",        "[",
        "]",     "\"",       "\\",
        ":",     ",",        "null",
        "1e999", "-1",       "\xff",
        "\r\n",  "\r\n\r\n", "\"id\"",
        "true",  "\\u0000",  "4294967296",
        "{}",    "2.0",      "Content-Length: "};
    for (size_t Times = below(4); Times > 0; --Times) {
      size_t At = below(Bytes.size() + 1);
      switch (below(3)) {
      case 0:
        Bytes.insert(At, Parts[below(std::size(Parts))]);
        break;
      case 1:
        Bytes.erase(At, below(8));
        break;
      default:
        if (At < Bytes.size())
          Bytes[At] = static_cast<char>(below(256));
      }
    }
  }

private:
  std::mt19937 Random;
};

/// As the server and its client read it.
void read(StringRef Body) {
  Expected<json::Value> V = parseBody(Body, {64, 200, 1000});
  BodyShape Shape = shapeOf(Body);
  Expected<Message> M = V ? parseMessage(std::move(*V)) : V.takeError();
  if (!M) {
    EXPECT_NE(toString(M.takeError()), "");
    return;
  }
  EXPECT_LE(Shape.Values, 1000u);
  EXPECT_LE(Shape.Nesting, 64u);
  // What comes back in an answer is JSON again.
  if (M->What == Message::Kind::Request) {
    std::string Answer = frame(makeResponse(M->Id, json::Value(1)));
    StringRef Text = StringRef(Answer).split("\r\n\r\n").second;
    EXPECT_EQ(messageOf(json::parse(Text)), "") << Text.str();
  }
  const json::Value &P =
      M->What == Message::Kind::Response ? M->Result : M->Params;
  consumeError(parse<InitializeParams>(P, "params").takeError());
  consumeError(parse<ReloadParams>(P, "params").takeError());
  consumeError(parse<ReinitParams>(P, "params").takeError());
  consumeError(parse<ExplainParams>(P, "params").takeError());
  consumeError(parse<DidOpenParams>(P, "params").takeError());
  consumeError(parse<DidChangeParams>(P, "params").takeError());
  consumeError(parse<Status>(P, "params").takeError());
  consumeError(parse<LogReply>(P, "params").takeError());
  consumeError(parse<FunctionsReply>(P, "params").takeError());
  consumeError(parse<ExplainReply>(P, "params").takeError());
  eventOfNotification(M->Method, P);
}

/// The bodies in Bytes, and "error" if they end with one.
std::vector<std::string> decode(StringRef Bytes,
                                function_ref<size_t()> SizeOfPiece) {
  FrameDecoder D(MaxBody);
  std::vector<std::string> Bodies;
  while (!Bytes.empty()) {
    size_t Size = std::min(SizeOfPiece(), Bytes.size());
    D.append(Bytes.take_front(Size));
    Bytes = Bytes.drop_front(Size);
    while (true) {
      Expected<std::optional<std::string>> Body = D.next();
      if (!Body) {
        consumeError(Body.takeError());
        Bodies.push_back("error");
        return Bodies;
      }
      if (!*Body)
        break;
      EXPECT_LE((*Body)->size(), MaxBody);
      Bodies.push_back(std::move(**Body));
    }
    EXPECT_LE(D.size(), MaxBody + 1024 + Size);
  }
  return Bodies;
}

TEST(WireFuzz, WhateverComesIsReadOrRefused) {
  for (unsigned Seed = 0; Seed < 10000; ++Seed) {
    SCOPED_TRACE(Seed);
    Fuzz F(Seed);
    std::string Bytes;
    for (size_t Messages = 1 + F.below(4); Messages > 0; --Messages) {
      std::string One = F.message();
      if (F.below(2)) { // A body that is damaged behind a header that fits.
        std::string Body = StringRef(One).split("\r\n\r\n").second.str();
        F.damage(Body);
        One = "Content-Length: " + std::to_string(Body.size()) + "\r\n\r\n" +
              Body;
      }
      Bytes += One;
    }
    if (F.below(3) == 0)
      F.damage(Bytes);
    std::vector<std::string> Bodies =
        decode(Bytes, [&] { return Bytes.size(); });
    for (const std::string &Body : Bodies)
      read(Body);
    // It makes no difference in which pieces it comes.
    EXPECT_EQ(decode(Bytes, [&] { return 1 + F.below(40); }), Bodies);
  }
}

} // namespace
