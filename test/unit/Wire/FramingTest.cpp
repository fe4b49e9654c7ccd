#include "Wire/Framing.h"

#include "ErrorMatchers.h"

#include "llvm/Support/LSP/Protocol.h"

using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

std::vector<std::string> decodeAll(FrameDecoder &D) {
  std::vector<std::string> Bodies;
  while (true) {
    Expected<std::optional<std::string>> Body = D.next();
    if (!Body) {
      Bodies.push_back("error: " + toString(Body.takeError()));
      return Bodies;
    }
    if (!*Body)
      return Bodies;
    Bodies.push_back(**Body);
  }
}

std::vector<std::string> decode(StringRef Bytes, size_t MaxBody = 100) {
  FrameDecoder D(MaxBody);
  D.append(Bytes);
  return decodeAll(D);
}

TEST(Framing, ReadsWhatItWrites) {
  std::string Framed = frame(json::Object{{"a", 1}});
  EXPECT_EQ(Framed, "Content-Length: 7\r\n\r\n{\"a\":1}");
  EXPECT_THAT(decode(Framed), testing::ElementsAre("{\"a\":1}"));
}

TEST(Framing, TakesPiecesOfAnySize) {
  std::string Two = frame(1) + frame(json::Value("two"));
  FrameDecoder D(100);
  std::vector<std::string> Bodies;
  for (char C : Two) {
    D.append(StringRef(&C, 1));
    for (std::string &B : decodeAll(D))
      Bodies.push_back(B);
  }
  EXPECT_THAT(Bodies, testing::ElementsAre("1", "\"two\""));
}

TEST(Framing, AcceptsOtherHeadersAndAnyCase) {
  EXPECT_THAT(decode("Content-Type: x; charset=utf-8\r\n"
                     "content-length:  2 \r\n\r\n{}"),
              testing::ElementsAre("{}"));
}

TEST(Framing, RefusesBadHeaders) {
  for (StringRef Bad : {"Content-Length: -1\r\n\r\n",
                        "Content-Length: 1x\r\n\r\n", "Content-Length:\r\n\r\n",
                        "Content-Length: 99999999999999999999\r\n\r\n",
                        "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "X: y\r\n\r\n",
                        "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"})
    EXPECT_THAT(decode(Bad), testing::ElementsAre(HasSubstr("error: ")))
        << Bad.str();
}

TEST(Framing, LimitsTheBodyBeforeItComes) {
  EXPECT_THAT(decode("Content-Length: 101\r\n\r\n"),
              testing::ElementsAre(HasSubstr("at most 100")));
  EXPECT_THAT(decode("Content-Length: 100\r\n\r\n"), testing::IsEmpty());
}

TEST(Framing, LimitsTheHeader) {
  EXPECT_THAT(decode(std::string(1023, 'x')), testing::IsEmpty());
  EXPECT_THAT(decode(std::string(1024, 'x')),
              testing::ElementsAre(HasSubstr("header of more than")));
}

TEST(ParseBody, SaysParseError) {
  for (std::string Bad : {"{", "\"\xff\"", ""}) {
    Expected<json::Value> V = parseBody(Bad);
    ASSERT_FALSE(V) << Bad;
    handleAllErrors(V.takeError(), [](const lsp::LSPError &E) {
      EXPECT_EQ(E.code, lsp::ErrorCode::ParseError);
    });
  }
}

TEST(ParseBody, RefusesDeepNestingWithoutRecursion) {
  EXPECT_THAT(messageOf(parseBody(std::string(10 << 20, '['))),
              HasSubstr("nested deeper"));
  std::string Deep = std::string(64, '[') + std::string(64, ']');
  EXPECT_EQ(messageOf(parseBody(Deep)), "");
  EXPECT_NE(messageOf(parseBody("[" + Deep + "]")), "");
}

TEST(ParseBody, CountsNoBracketsInStrings) {
  EXPECT_EQ(messageOf(parseBody("\"\\\"" + std::string(100, '[') + "\"")), "");
}

std::string listOf(StringRef Item, size_t Count) {
  std::string Text = "[";
  for (size_t I = 0; I < Count; ++I)
    Text += (I ? "," : "") + Item.str();
  return Text + "]";
}

TEST(ParseBody, RefusesLittleTextThatWouldTakeMuchMemory) {
  EXPECT_EQ(messageOf(parseBody(listOf("{\"\":0}", 1000))), "");
  EXPECT_THAT(messageOf(parseBody(listOf("{\"\":0}", 1001))),
              HasSubstr("more than 1000 objects"));
  EXPECT_EQ(messageOf(parseBody(listOf("0", 20000))), "");
  EXPECT_THAT(messageOf(parseBody(listOf("[]", 10001))),
              HasSubstr("more than 20000 values"));
  EXPECT_EQ(
      messageOf(parseBody(listOf("{\"\":0}", 1001), {64, SIZE_MAX, SIZE_MAX})),
      "");
}

} // namespace
