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

  /// Bytes that wait for the rest of their message, or for next().
  size_t size() const { return Buffer.size(); }

private:
  llvm::Error readHeader(llvm::StringRef Header);

  size_t MaxBody;
  std::string Buffer;
  std::optional<size_t> BodySize; ///< the header was read, the body is awaited
};

/// What a body may hold, whatever its length: stack and memory for its parsed
/// form are bounded before it is parsed. The defaults are for requests.
struct BodyLimits {
  unsigned Nesting = 64;
  size_t Objects = 1000;
  size_t Values = 20000; ///< of arrays and objects, in all
};

/// What parsed JSON is made of, counted in its text without parsing it; for
/// text that is no JSON some numbers.
struct BodyShape {
  unsigned Nesting = 0;
  size_t Objects = 0;
  size_t Values = 0;
  /// Bytes that the parsed form takes at most, without what the text has.
  size_t memory() const;
};
BodyShape shapeOf(llvm::StringRef Body);

/// Parses a body. Error (llvm::lsp::LSPError, ParseError): not JSON, not
/// UTF-8, or beyond Limits.
llvm::Expected<llvm::json::Value> parseBody(llvm::StringRef Body,
                                            const BodyLimits &Limits = {});

} // namespace hotjit::wire

#endif
