// DW_AT_producer is free text. GCC writes its language, version and the options
// that change code ("GNU C17 12.2.0 -mtune=generic -O2 -flto"); Clang writes
// its version only, and its options if built with -grecord-command-line.

#include "Image/Producer.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>

namespace hotjit {

using llvm::StringRef;

static bool isGCC(StringRef Text) {
  // Not "GNU AS": assembler sources.
  for (StringRef Language : {"GNU C", "GNU GIMPLE", "GNU Fortran", "GNU Ada",
                             "GNU Go", "GNU D", "GNU Objective"})
    if (Text.starts_with(Language))
      return true;
  return false;
}

/// -O, -O0, -O2, -O3, -Os, -Oz, -Og, -Ofast. Sizes count as the speed level
/// whose passes they run.
static std::optional<unsigned> optimizationLevel(StringRef Option) {
  if (!Option.consume_front("-O"))
    return std::nullopt;
  if (Option.empty() || Option == "g")
    return 1;
  if (Option == "s" || Option == "z")
    return 2;
  if (Option == "fast")
    return 3;
  unsigned Level = 0;
  if (Option.getAsInteger(10, Level))
    return std::nullopt;
  return std::min(Level, 3u);
}

const char *spell(Producer P) {
  switch (P) {
  case Producer::GCC:
    return "gcc";
  case Producer::Clang:
    return "clang";
  case Producer::Other:
    break;
  }
  return "other";
}

ProducerFacts parseProducer(StringRef Text) {
  ProducerFacts Facts;
  if (isGCC(Text))
    Facts.By = Producer::GCC;
  else if (Text.contains("clang version"))
    Facts.By = Producer::Clang;
  Facts.LTO = Text.starts_with("GNU GIMPLE");
  llvm::SmallVector<StringRef, 32> Words;
  llvm::SplitString(Text, Words);
  for (StringRef Word : Words) {
    if (std::optional<unsigned> Level = optimizationLevel(Word))
      Facts.OptLevel = *Level; // The last one counts.
    if (Word == "-flto" || Word.starts_with("-flto=") || Word == "-fltrans" ||
        Word == "-fwpa")
      Facts.LTO = true;
    if (Word == "-fno-lto")
      Facts.LTO = false;
  }
  return Facts;
}

} // namespace hotjit
