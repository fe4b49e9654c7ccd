// hotjit-bytes PID [--except ADDRESS:LENGTH]...
//
// Shows whether a reload that was not committed left the program as it was
// (docs/architecture.md, invariant 1): prints one hash per segment of every
// module of a running process, read through /proc/PID/mem. Two runs around a
// refused edit must print the same. Entries that are armed may differ from
// what they were; a test names them with --except and they count as zeros.
//
// The program's threads must stand still between the two runs (the tests'
// programs wait for a line of input). Modules of the system are left out: the
// engine lives in the same process and uses the same libc, whose data changes
// with every allocation. So are hotjit's own libraries and its memory.

#include "Support/ContentHash.h"
#include "fmt/format.h"
#include "llvm/ADT/StringRef.h"
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

using namespace hotjit;
using llvm::StringRef;

namespace {

struct Range {
  uint64_t Begin = 0;
  uint64_t End = 0;
};

/// One line of /proc/PID/maps.
struct Mapping {
  Range Bytes;
  std::string Permissions; ///< "r-xp"
  std::string Path;        ///< empty for anonymous memory
};

bool parseMapping(const std::string &Line, Mapping &M) {
  char Permissions[5] = {};
  int PathAt = 0;
  if (std::sscanf(Line.c_str(), "%lx-%lx %4s %*x %*s %*u %n", &M.Bytes.Begin,
                  &M.Bytes.End, Permissions, &PathAt) != 3)
    return false;
  M.Permissions = Permissions;
  M.Path = Line.substr(std::min<size_t>(PathAt, Line.size()));
  return true;
}

bool isOfInterest(StringRef Path) {
  if (!Path.starts_with("/") || Path.contains("/libhotjit") ||
      Path.starts_with("/memfd:"))
    return false;
  return !Path.starts_with("/usr/") && !Path.starts_with("/lib");
}

/// The mappings of the program's own modules. Anonymous memory that follows a
/// module's writable segment without a gap is its .bss.
std::vector<Mapping> modulesOf(const std::string &Pid) {
  std::ifstream Maps("/proc/" + Pid + "/maps");
  std::vector<Mapping> Result;
  bool LastWritable = false;
  for (std::string Line; std::getline(Maps, Line);) {
    Mapping M;
    if (!parseMapping(Line, M))
      continue;
    bool Bss = M.Path.empty() && LastWritable && !Result.empty() &&
               Result.back().Bytes.End == M.Bytes.Begin;
    LastWritable = false;
    if (Bss)
      M.Path = Result.back().Path;
    else if (!isOfInterest(M.Path))
      continue;
    LastWritable = !Bss && M.Permissions[1] == 'w';
    Result.push_back(std::move(M));
  }
  return Result;
}

const char *kindOf(const Mapping &M) {
  if (M.Permissions[2] == 'x')
    return "text";
  return M.Permissions[1] == 'w' ? "data" : "rodata";
}

bool readAll(int Memory, const Mapping &M, std::string &Bytes) {
  Bytes.resize(M.Bytes.End - M.Bytes.Begin);
  for (size_t Done = 0; Done < Bytes.size();) {
    ssize_t N = pread(Memory, Bytes.data() + Done, Bytes.size() - Done,
                      static_cast<off_t>(M.Bytes.Begin + Done));
    if (N <= 0)
      return false;
    Done += static_cast<size_t>(N);
  }
  return true;
}

void blank(const std::vector<Range> &Excepted, const Mapping &M,
           std::string &Bytes) {
  for (const Range &R : Excepted)
    for (uint64_t A = std::max(R.Begin, M.Bytes.Begin);
         A < std::min(R.End, M.Bytes.End); ++A)
      Bytes[A - M.Bytes.Begin] = 0;
}

bool parseRange(StringRef Text, Range &R) {
  auto [Address, Length] = Text.split(':');
  uint64_t Size = 0;
  if (Address.getAsInteger(0, R.Begin) || Length.getAsInteger(0, Size))
    return false;
  R.End = R.Begin + Size;
  return true;
}

int fail(const std::string &Message) {
  fmt::print(stderr, "hotjit-bytes: {}\n", Message);
  return 2;
}

} // namespace

int main(int Count, char **Arguments) {
  std::string Pid;
  std::vector<Range> Excepted;
  for (int I = 1; I < Count; ++I) {
    StringRef Argument = Arguments[I];
    if (Argument == "--except" && I + 1 < Count) {
      if (Range R; parseRange(Arguments[++I], R))
        Excepted.push_back(R);
      else
        return fail(fmt::format("{}: not ADDRESS:LENGTH", Arguments[I]));
    } else {
      Pid = Argument.str();
    }
  }
  if (Pid.empty())
    return fail("usage: hotjit-bytes PID [--except ADDRESS:LENGTH]...");

  int Memory = open(("/proc/" + Pid + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (Memory < 0)
    return fail("no such process, or not allowed to read it: " + Pid);
  // Mappings of a segment come and go as permissions change (a page that is
  // written to splits one in two): what counts is the segment's content.
  std::map<std::pair<std::string, std::string>, std::string> Content;
  for (const Mapping &M : modulesOf(Pid)) {
    std::string Bytes;
    if (!readAll(Memory, M, Bytes))
      return fail(fmt::format("{:#x}: cannot be read", M.Bytes.Begin));
    blank(Excepted, M, Bytes);
    Content[{M.Path, kindOf(M)}] += Bytes;
  }
  close(Memory);
  if (Content.empty())
    return fail("no module of the program found in process " + Pid);
  for (const auto &[Key, Bytes] : Content) {
    ContentHash H = hashBytes(Bytes);
    fmt::print("{:6} {:016x}{:016x} {:9} {}\n", Key.second, H.High, H.Low,
               Bytes.size(), Key.first);
  }
  return 0;
}
