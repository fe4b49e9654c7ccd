#ifndef HOTJIT_WIRE_JSONRPC_H
#define HOTJIT_WIRE_JSONRPC_H

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace hotjit::wire {

/// A JSON-RPC 2.0 message.
struct Message {
  enum class Kind {
    Request,      ///< Method, Params, Id
    Notification, ///< Method, Params
    Response,     ///< Id, Result
    Failure,      ///< Id (null if the request was unreadable), ErrorCode, Text
  };
  Kind What = Kind::Notification;
  std::string Method;
  llvm::json::Value Params = nullptr;
  llvm::json::Value Id = nullptr; ///< a number, a string or null
  llvm::json::Value Result = nullptr;
  int64_t ErrorCode = 0;
  std::string Text;
};

/// Error: llvm::lsp::LSPError (InvalidRequest). Batches are not accepted.
llvm::Expected<Message> parseMessage(llvm::json::Value V);

llvm::json::Value makeRequest(llvm::json::Value Id, llvm::StringRef Method,
                              llvm::json::Value Params);
llvm::json::Value makeNotification(llvm::StringRef Method,
                                   llvm::json::Value Params);
/// The response to request Id: a result, or an error whose code is that of an
/// llvm::lsp::LSPError, else RequestFailed.
llvm::json::Value makeResponse(llvm::json::Value Id,
                               llvm::Expected<llvm::json::Value> Result);

/// Replaces what is not UTF-8: file names and a program's text may hold any
/// bytes, JSON may not.
std::string asUtf8(llvm::StringRef Bytes);
llvm::json::Array asUtf8(const std::vector<std::string> &Texts);

} // namespace hotjit::wire

#endif
