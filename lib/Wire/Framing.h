#ifndef HOTJIT_WIRE_FRAMING_H
#define HOTJIT_WIRE_FRAMING_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace hotjit::wire {

/// One JSON text behind its `Content-Length` header, as LSP frames it.
std::string frame(const llvm::json::Value &Message);

/// Cuts a stream of bytes, arriving in pieces of any size, into message bodies.
class FrameDecoder {
public:
  explicit FrameDecoder(size_t MaxBody) : MaxBody(MaxBody) {}

  void append(llvm::StringRef Bytes) {
    Buffer.append(Bytes.data(), Bytes.size());
  }

  /// The next complete body; nothing if more bytes are needed. Error: the
  /// stream cannot be understood from here on (bad header, bad length, body
  /// over the limit), and the connection must be closed.
  llvm::Expected<std::optional<std::string>> next();

private:
  llvm::Error readHeader(llvm::StringRef Header);

  size_t MaxBody;
  std::string Buffer;
  std::optional<size_t> BodySize; ///< the header was read, the body is awaited
};

/// Parses a body. Error (llvm::lsp::LSPError, ParseError): not JSON, not
/// UTF-8, or nested so deep that parsing it would need much stack.
llvm::Expected<llvm::json::Value> parseBody(llvm::StringRef Body);

} // namespace hotjit::wire

#endif
