#include "Fixture.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

namespace hotjit {

void PrintTo(StorageKind K, std::ostream *Out) {
  static const char *const Names[] = {"Address", "ThreadLocal", "Composed",
                                      "Constant", "None"};
  *Out << Names[static_cast<int>(K)];
}

TempFolder::TempFolder() {
  llvm::SmallString<128> Path, Real;
  std::error_code Code =
      llvm::sys::fs::createUniqueDirectory("hotjit-image", Path);
  EXPECT_FALSE(Code) << Code.message();
  EXPECT_FALSE(llvm::sys::fs::real_path(Path, Real));
  Root = std::string(Real);
}

TempFolder::~TempFolder() {
  if (!Root.empty())
    llvm::sys::fs::remove_directories(Root);
}

std::string TempFolder::write(const std::string &Name,
                              const std::string &Text) const {
  std::string File = path(Name);
  EXPECT_FALSE(
      llvm::sys::fs::create_directories(llvm::sys::path::parent_path(File)));
  std::error_code Code;
  llvm::raw_fd_ostream Out(File, Code);
  EXPECT_FALSE(Code) << File << ": " << Code.message();
  Out << Text;
  return File;
}

void run(const std::string &Program, const Words &Arguments) {
  std::vector<llvm::StringRef> Line{Program};
  Line.insert(Line.end(), Arguments.begin(), Arguments.end());
  std::string Message;
  int Status = llvm::sys::ExecuteAndWait(Program, Line, std::nullopt, {}, 0, 0,
                                         &Message);
  EXPECT_EQ(Status, 0) << llvm::join(Line, " ") << ": " << Message;
}

void compile(Compiler By, const Words &Sources, const std::string &Output,
             const Words &Flags) {
  bool CXX = llvm::StringRef(Sources.front()).ends_with(".cpp");
  Words Arguments{"-o", Output};
  Arguments.insert(Arguments.end(), Flags.begin(), Flags.end());
  Arguments.insert(Arguments.end(), Sources.begin(), Sources.end());
  if (By == Compiler::GCC)
    run(CXX ? HOTJIT_GXX : HOTJIT_GCC, Arguments);
  else
    run(CXX ? HOTJIT_CLANGXX : HOTJIT_CLANG, Arguments);
}

std::unique_ptr<Image> open(const std::string &Path) {
  RealFileSystem FS;
  llvm::Expected<std::unique_ptr<Image>> I = Image::ofFile(FS, Path);
  if (I)
    return std::move(*I);
  ADD_FAILURE() << llvm::toString(I.takeError());
  return nullptr;
}

Built::Built(Compiler By, const std::string &Name, const std::string &Text,
             const Words &Flags)
    : Source(Folder.write(Name, Text)), Output(Folder.path("out")) {
  compile(By, {Source}, Output, Flags);
  Program = open(Output);
}

const UnitDetails &detailsOf(const Image &I, const std::string &Path) {
  static const UnitDetails Nothing;
  std::vector<const ImageUnit *> Units = I.findUnits(Path);
  EXPECT_EQ(Units.size(), 1u) << Path;
  if (Units.size() != 1)
    return Nothing;
  llvm::Expected<const UnitDetails *> D = I.details(*Units.front());
  if (D)
    return **D;
  ADD_FAILURE() << llvm::toString(D.takeError());
  return Nothing;
}

const UnitDetails &Built::details() { return detailsOf(*Program, Source); }

const ImageVariable *Built::variable(const std::string &Name) {
  return only(details().Variables, Name);
}

const ImageFunction *Built::function(const std::string &Name) {
  return only(details().Functions, Name);
}

const ImageType *Built::type(const std::string &Name) {
  return only(details().Types, Name);
}

int initialInt(const Image &I, ProgramAddr A) {
  llvm::ArrayRef<uint8_t> Bytes = I.fileBytes(A, sizeof(int));
  EXPECT_EQ(Bytes.size(), sizeof(int));
  int Value = 0;
  if (Bytes.size() == sizeof Value)
    std::memcpy(&Value, Bytes.data(), sizeof Value);
  return Value;
}

std::vector<BuildMode> unoptimizedBuildModes() {
  return {
      {"gcc_dwarf5", Compiler::GCC, {"-g", "-O0"}},
      {"gcc_dwarf4_nopie_compressed",
       Compiler::GCC,
       {"-gdwarf-4", "-O0", "-no-pie", "-fno-pie", "-gz"}},
      {"gcc_dwarf3", Compiler::GCC, {"-gdwarf-3", "-O0"}},
      {"gcc_shared_lld",
       Compiler::GCC,
       {"-g", "-O0", "-shared", "-fPIC", "-fuse-ld=lld"}},
      {"clang_dwarf5", Compiler::Clang, {"-g", "-O0"}},
      {"clang_dwarf4_nopie_compressed",
       Compiler::Clang,
       {"-gdwarf-4", "-O0", "-no-pie", "-fno-pie", "-gz"}},
      {"clang_shared_lld",
       Compiler::Clang,
       {"-g", "-O0", "-shared", "-fPIC", "-fuse-ld=lld"}},
  };
}

std::vector<BuildMode> allBuildModes() {
  std::vector<BuildMode> Modes = unoptimizedBuildModes();
  Modes.push_back({"gcc_O2", Compiler::GCC, {"-g", "-O2"}});
  Modes.push_back({"gcc_O2_dwarf4", Compiler::GCC, {"-gdwarf-4", "-O2"}});
  Modes.push_back({"clang_O2", Compiler::Clang, {"-g", "-O2"}});
  Modes.push_back({"clang_O2_dwarf4", Compiler::Clang, {"-gdwarf-4", "-O2"}});
  return Modes;
}

} // namespace hotjit
