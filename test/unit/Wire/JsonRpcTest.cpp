#include "Wire/JsonRpc.h"

#include "ErrorMatchers.h"

#include "Support/Error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/LSP/Protocol.h"

using namespace hotjit;
using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;

namespace {

Expected<Message> parseText(StringRef Text) {
  return parseMessage(cantFail(json::parse(Text)));
}

std::string text(const json::Value &V) { return formatv("{0}", V); }

TEST(JsonRpc, TellsTheKindsApart) {
  ASSERT_GET(Message Request, parseMessage(makeRequest(7, "m", nullptr)));
  EXPECT_EQ(Request.What, Message::Kind::Request);
  EXPECT_EQ(Request.Method, "m");
  EXPECT_EQ(Request.Id, json::Value(7));

  ASSERT_GET(Message Note,
             parseMessage(makeNotification("n", json::Object{{"a", 1}})));
  EXPECT_EQ(Note.What, Message::Kind::Notification);
  EXPECT_EQ(text(Note.Params), "{\"a\":1}");

  ASSERT_GET(Message Answer,
             parseMessage(makeResponse("x", json::Value(true))));
  EXPECT_EQ(Answer.What, Message::Kind::Response);
  EXPECT_EQ(Answer.Id, json::Value("x"));
  EXPECT_EQ(Answer.Result, json::Value(true));
}

TEST(JsonRpc, KeepsTheCodeOfAnError) {
  ASSERT_GET(
      Message M,
      parseMessage(makeResponse(
          1, make_error<lsp::LSPError>("no", lsp::ErrorCode::MethodNotFound))));
  EXPECT_EQ(M.What, Message::Kind::Failure);
  EXPECT_EQ(M.ErrorCode, -32601);
  EXPECT_EQ(M.Text, "no");
}

TEST(JsonRpc, OtherErrorsAreRequestFailed) {
  ASSERT_GET(Message M,
             parseMessage(makeResponse(1, makeError("it broke: {}", "\xff"))));
  EXPECT_EQ(M.ErrorCode, -32803);
  EXPECT_EQ(M.Text, "it broke: \xEF\xBF\xBD");
}

TEST(JsonRpc, RefusesWhatIsNoMessage) {
  for (StringRef Bad :
       {"1", "[]", "{}", "{\"jsonrpc\":\"1.0\",\"method\":\"m\"}",
        "{\"jsonrpc\":\"2.0\"}", "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1e999}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}"})
    EXPECT_NE(messageOf(parseText(Bad)), "") << Bad.str();
}

} // namespace
