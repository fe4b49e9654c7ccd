// Will the agent get in? LD_PRELOAD is a wish: ld.so ignores it for set-user-id
// programs, there is no ld.so in static ones, and in a script it takes the
// interpreter. Nothing of this makes an error by itself: the program would just
// run without hotjit, and the user would save and wonder. So look first.

#include "ProgramCheck.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

Expected<std::string> hotjit::findExecutable(StringRef Program) {
  if (Program.contains('/')) {
    if (::access(Program.str().c_str(), F_OK) != 0)
      return makeError("{}: {}", Program, sys::StrError());
    return Program.str();
  }
  ErrorOr<std::string> Found = sys::findProgramByName(Program);
  if (!Found)
    return makeError("{}: not found in PATH; './{}' runs the one in this "
                     "folder",
                     Program, Program);
  return *Found;
}

static Error checkScript(StringRef Path, StringRef Text) {
  if (!Text.starts_with("#!"))
    return makeError("{}: not an ELF program; give the program itself", Path);
  StringRef Line = Text.drop_front(2).split('\n').first.trim();
  return makeError("{}: a script for '{}'; run the program that it starts: "
                   "hotjit run PROGRAM, or for the interpreter itself: "
                   "hotjit run {} {}",
                   Path, Line, Line, Path);
}

/// Programs that are run for what they start. One of them built with debug
/// information is somebody's work on it, and welcome.
static bool startsOthers(StringRef Path) {
  static constexpr StringLiteral Names[] = {
      "make",   "gmake", "ninja",  "cmake",  "ctest", "meson",
      "sh",     "bash",  "dash",   "zsh",    "env",   "nohup",
      "nice",   "time",  "sudo",   "setsid", "xargs", "timeout",
      "ccache", "bazel", "script", "strace"};
  return llvm::is_contained(Names, sys::path::filename(Path));
}

/// Whether ld.so drops LD_PRELOAD for this file and user.
static Error checkPrivileges(StringRef Path) {
  struct stat S;
  std::string Name = Path.str();
  if (::stat(Name.c_str(), &S) != 0)
    return makeError("{}: {}", Path, sys::StrError());
  bool OtherUser = (S.st_mode & S_ISUID) && S.st_uid != ::geteuid();
  bool OtherGroup =
      (S.st_mode & S_ISGID) && (S.st_mode & S_IXGRP) && S.st_gid != ::getegid();
  bool Capabilities =
      ::geteuid() != 0 &&
      ::getxattr(Name.c_str(), "security.capability", nullptr, 0) > 0;
  if (!OtherUser && !OtherGroup && !Capabilities)
    return Error::success();
  return makeError("{}: runs with other rights ({}), the loader refuses the "
                   "agent; run a copy without them: cp {} ./copy",
                   Path,
                   Capabilities ? "file capabilities"
                   : OtherUser  ? "set-user-id"
                                : "set-group-id",
                   Path);
}

using ElfFile = object::ELFFile<object::ELF64LE>;

static Error brokenFile(StringRef Path, Error E) {
  return makeError("{}: {}", Path, toString(std::move(E)));
}

static Expected<ElfFile> openElf(StringRef Path, StringRef Bytes) {
  if (Bytes.size() < sizeof(ELF::Elf64_Ehdr) ||
      Bytes[ELF::EI_CLASS] != ELF::ELFCLASS64)
    return makeError("{}: a 32-bit program; build it for x86-64", Path);
  Expected<ElfFile> File = ElfFile::create(Bytes);
  if (!File)
    return brokenFile(Path, File.takeError());
  if (File->getHeader().e_machine != ELF::EM_X86_64)
    return makeError("{}: built for another architecture (ELF machine {}); "
                     "only x86-64 is in this version",
                     Path, uint16_t(File->getHeader().e_machine));
  return File;
}

/// Empty: it asks for none.
static Expected<StringRef> loaderOf(StringRef Path, const ElfFile &File) {
  auto Headers = File.program_headers();
  if (!Headers)
    return brokenFile(Path, Headers.takeError());
  StringRef Bytes(reinterpret_cast<const char *>(File.base()),
                  File.getBufSize());
  for (const auto &H : *Headers)
    if (H.p_type == ELF::PT_INTERP)
      return Bytes.substr(H.p_offset, H.p_filesz).rtrim('\0');
  return StringRef();
}

static Error checkElf(StringRef Path, StringRef Bytes) {
  Expected<ElfFile> File = openElf(Path, Bytes);
  if (!File)
    return File.takeError();
  Expected<StringRef> Loader = loaderOf(Path, *File);
  if (!Loader)
    return Loader.takeError();
  if (Loader->empty())
    return makeError("{}: linked statically, nothing can be loaded into it; "
                     "link it without -static",
                     Path);
  if (!Loader->contains("ld-linux-x86-64"))
    return makeError("{}: uses the loader {}; hotjit needs glibc's", Path,
                     *Loader);
  if (!startsOthers(Path))
    return Error::success();
  auto Sections = File->sections();
  if (!Sections)
    return brokenFile(Path, Sections.takeError());
  for (const auto &S : *Sections)
    if (Expected<StringRef> Name = File->getSectionName(S))
      if (*Name == ".debug_info")
        return Error::success();
  return makeError("{}: starts other programs, and those start without hotjit; "
                   "run the program itself: hotjit run PROGRAM",
                   Path);
}

static ErrorOr<std::unique_ptr<MemoryBuffer>> mapFile(StringRef Path) {
  return MemoryBuffer::getFile(Path, /*IsText=*/false,
                               /*RequiresNullTerminator=*/false);
}

Expected<std::string> hotjit::loaderOf(StringRef Path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> Buffer = mapFile(Path);
  if (!Buffer)
    return makeError("{}: {}", Path, Buffer.getError().message());
  Expected<ElfFile> File = openElf(Path, (*Buffer)->getBuffer());
  if (!File)
    return File.takeError();
  Expected<StringRef> Loader = ::loaderOf(Path, *File);
  if (!Loader)
    return Loader.takeError();
  if (Loader->empty())
    return makeError("{}: asks for no loader", Path);
  return Loader->str();
}

Error hotjit::checkTakesAgent(StringRef Path) {
  if (::access(Path.str().c_str(), X_OK) != 0)
    return makeError("{}: {}", Path, sys::StrError());
  ErrorOr<std::unique_ptr<MemoryBuffer>> Buffer = mapFile(Path);
  if (!Buffer)
    return makeError("{}: {}", Path, Buffer.getError().message());
  StringRef Bytes = (*Buffer)->getBuffer();
  if (!Bytes.starts_with(ELF::ElfMagic))
    return checkScript(Path, Bytes);
  if (Error E = checkElf(Path, Bytes))
    return E;
  return checkPrivileges(Path);
}
