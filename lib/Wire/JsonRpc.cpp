// JSON-RPC 2.0: what makes an object a request, a notification or a response.
// The specification tells them apart by which members are there, so a message
// with members of two kinds is refused rather than guessed at.

#include "Wire/JsonRpc.h"
#include "llvm/Support/LSP/Protocol.h"
#include <cmath>

using namespace llvm;
using namespace hotjit::wire;

static Error invalid(const char *Why) {
  return make_error<lsp::LSPError>(Why, lsp::ErrorCode::InvalidRequest);
}

/// It comes back in the answer, and JSON has no infinity: 1e999 is none.
static bool isId(const json::Value &V) {
  if (std::optional<double> Number = V.getAsNumber())
    return std::isfinite(*Number);
  return V.kind() == json::Value::Null || V.kind() == json::Value::String;
}

static Expected<Message> parseCall(json::Object &O, StringRef Method,
                                   json::Value *Id) {
  if (O.get("result") || O.get("error"))
    return invalid("both a call and a response");
  Message M;
  M.What = Id ? Message::Kind::Request : Message::Kind::Notification;
  M.Method = Method.str();
  if (json::Value *Params = O.get("params")) {
    if (!Params->getAsObject() && !Params->getAsArray())
      return invalid("params is neither an object nor an array");
    M.Params = std::move(*Params);
  }
  if (Id)
    M.Id = std::move(*Id);
  return M;
}

static Expected<Message> parseFailure(const json::Value &Problem) {
  const json::Object *O = Problem.getAsObject();
  std::optional<int64_t> Code = O ? O->getInteger("code") : std::nullopt;
  std::optional<StringRef> Text = O ? O->getString("message") : std::nullopt;
  if (!Code || !Text)
    return invalid("an error without code and message");
  Message M;
  M.What = Message::Kind::Failure;
  M.ErrorCode = *Code;
  M.Text = Text->str();
  return M;
}

Expected<Message> hotjit::wire::parseMessage(json::Value V) {
  json::Object *O = V.getAsObject();
  if (!O)
    return invalid("a message must be one JSON object");
  if (O->getString("jsonrpc") != StringRef("2.0"))
    return invalid("\"jsonrpc\" is not \"2.0\"");
  json::Value *Id = O->get("id");
  if (Id && !isId(*Id))
    return invalid("\"id\" is not a number or a string");
  if (json::Value *Method = O->get("method")) {
    std::optional<StringRef> Name = Method->getAsString();
    if (!Name)
      return invalid("\"method\" is not a string");
    return parseCall(*O, *Name, Id);
  }
  json::Value *Result = O->get("result"), *Problem = O->get("error");
  if (!Id || !Result == !Problem)
    return invalid("neither a request nor a response");
  Message M;
  if (Problem) {
    Expected<Message> Failure = parseFailure(*Problem);
    if (!Failure)
      return Failure.takeError();
    M = std::move(*Failure);
  } else {
    M.What = Message::Kind::Response;
    M.Result = std::move(*Result);
  }
  M.Id = std::move(*Id);
  return M;
}

json::Value hotjit::wire::makeRequest(json::Value Id, StringRef Method,
                                      json::Value Params) {
  json::Object O{{"jsonrpc", "2.0"}, {"id", std::move(Id)}, {"method", Method}};
  if (Params.kind() != json::Value::Null)
    O["params"] = std::move(Params);
  return O;
}

json::Value hotjit::wire::makeNotification(StringRef Method,
                                           json::Value Params) {
  json::Object O{{"jsonrpc", "2.0"}, {"method", Method}};
  if (Params.kind() != json::Value::Null)
    O["params"] = std::move(Params);
  return O;
}

json::Value hotjit::wire::makeResponse(json::Value Id,
                                       Expected<json::Value> Result) {
  json::Object O{{"jsonrpc", "2.0"}, {"id", std::move(Id)}};
  if (Result) {
    O["result"] = std::move(*Result);
    return O;
  }
  int Code = static_cast<int>(lsp::ErrorCode::RequestFailed);
  std::string Text;
  handleAllErrors(
      Result.takeError(),
      [&](const lsp::LSPError &E) {
        Code = static_cast<int>(E.code);
        Text = E.message;
      },
      [&](const ErrorInfoBase &E) {
        Text += (Text.empty() ? "" : "; ") + E.message();
      });
  O["error"] = json::Object{{"code", Code}, {"message", asUtf8(Text)}};
  return O;
}

std::string hotjit::wire::asUtf8(StringRef Bytes) {
  return json::isUTF8(Bytes) ? Bytes.str() : json::fixUTF8(Bytes);
}

json::Array hotjit::wire::asUtf8(const std::vector<std::string> &Texts) {
  json::Array A;
  for (const std::string &T : Texts)
    A.push_back(asUtf8(StringRef(T)));
  return A;
}
