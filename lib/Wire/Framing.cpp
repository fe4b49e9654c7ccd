// LSP's framing: a header block, an empty line, a body of so many bytes.
//
//   Content-Length: 44\r\n
//   \r\n
//   {"jsonrpc":"2.0","id":1,"method":"shutdown"}
//
// Whoever owns the socket may write anything into it, and what reads it lives
// in the user's program: so sizes are bounded before memory is taken for them,
// and what a text is made of is counted before LLVM's parser sees it. That
// recurses, and takes 4 KiB for an object of one member, which is 7 bytes of
// text: 15 MiB of `{"":0},` took 19 GiB. A bad body costs one message; after a
// bad header nobody knows where the next one starts, so that ends the
// connection.

#include "Wire/Framing.h"
#include "Support/Error.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/LSP/Protocol.h"

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

// Two headers exist (Content-Length, Content-Type); a kilobyte is generous.
static constexpr size_t MaxHeader = 1024;
// Memory of a longer message is given back when it has been read.
static constexpr size_t MaxKept = 64 << 10;
static constexpr StringLiteral EndOfHeader = "\r\n\r\n";

std::string hotjit::wire::frame(const json::Value &Message) {
  std::string Body;
  raw_string_ostream(Body) << Message;
  return fmt::format("Content-Length: {}\r\n\r\n{}", Body.size(), Body);
}

Error FrameDecoder::readHeader(StringRef Header) {
  SmallVector<StringRef, 2> Lines;
  Header.split(Lines, "\r\n");
  for (StringRef Line : Lines) {
    auto [Name, Value] = Line.split(':');
    if (Name.size() == Line.size())
      return makeError("a header without a colon");
    if (!Name.trim().equals_insensitive("Content-Length"))
      continue;
    size_t Size;
    if (Value.trim().getAsInteger(10, Size))
      return makeError("a Content-Length that is not a number");
    if (BodySize && *BodySize != Size)
      return makeError("two different values of Content-Length");
    BodySize = Size;
  }
  if (!BodySize)
    return makeError("a header without Content-Length");
  if (*BodySize > MaxBody)
    return makeError("a message of {} bytes; at most {} are accepted",
                     *BodySize, MaxBody);
  return Error::success();
}

Expected<std::optional<std::string>> FrameDecoder::next() {
  if (!BodySize) {
    size_t End = StringRef(Buffer).take_front(MaxHeader).find(EndOfHeader);
    if (End == StringRef::npos) {
      if (Buffer.size() >= MaxHeader)
        return makeError("a header of more than {} bytes", MaxHeader);
      return std::nullopt;
    }
    if (Error E = readHeader(StringRef(Buffer).take_front(End)))
      return std::move(E);
    Buffer.erase(0, End + EndOfHeader.size());
  }
  if (Buffer.size() < *BodySize)
    return std::nullopt;
  std::string Body = Buffer.substr(0, *BodySize);
  Buffer.erase(0, *BodySize);
  if (*BodySize > MaxKept)
    Buffer.shrink_to_fit();
  BodySize.reset();
  return Body;
}

BodyShape hotjit::wire::shapeOf(StringRef Text) {
  BodyShape Shape;
  unsigned Depth = 0;
  bool InString = false;
  for (size_t I = 0; I < Text.size(); ++I) {
    char C = Text[I];
    if (InString) {
      if (C == '\\')
        ++I;
      else if (C == '"')
        InString = false;
    } else if (C == '"') {
      InString = true;
    } else if (C == '[' || C == '{') {
      Shape.Nesting = std::max(Shape.Nesting, ++Depth);
      Shape.Objects += C == '{';
      ++Shape.Values; // The first; each further one has a comma.
    } else if (C == ',') {
      ++Shape.Values;
    } else if ((C == ']' || C == '}') && Depth > 0) {
      --Depth;
    }
  }
  return Shape;
}

size_t BodyShape::memory() const {
  // An llvm::json::Object is a hash table of at least 64 buckets, and of at
  // most four times its members; an array doubles.
  constexpr size_t Member = sizeof(json::ObjectKey) + sizeof(json::Value);
  return Objects * 64 * Member + Values * 4 * Member;
}

Expected<json::Value> hotjit::wire::parseBody(StringRef Body,
                                              const BodyLimits &Limits) {
  auto Broken = [](std::string Why) {
    return make_error<lsp::LSPError>(std::move(Why),
                                     lsp::ErrorCode::ParseError);
  };
  BodyShape Shape = shapeOf(Body);
  if (Shape.Nesting > Limits.Nesting)
    return Broken(fmt::format("nested deeper than {} levels", Limits.Nesting));
  if (Shape.Objects > Limits.Objects)
    return Broken(fmt::format("more than {} objects", Limits.Objects));
  if (Shape.Values > Limits.Values)
    return Broken(fmt::format("more than {} values", Limits.Values));
  Expected<json::Value> V = json::parse(Body);
  if (!V)
    return Broken(toString(V.takeError()));
  return V;
}
