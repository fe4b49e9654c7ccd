#include "TestProgram.h"

#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <link.h>

namespace hotjit {

using llvm::StringRef;

TestProgram::TestProgram() {
  std::ifstream In("/proc/self/exe", std::ios::binary);
  File.assign(std::istreambuf_iterator<char>(In), {});
  uint64_t Bias = 0;
  dl_iterate_phdr(
      [](dl_phdr_info *Object, size_t, void *To) {
        *static_cast<uint64_t *>(To) = Object->dlpi_addr;
        return 1; // the first is the program
      },
      &Bias);

  auto *Header = reinterpret_cast<const Elf64_Ehdr *>(File.data());
  auto *Program = reinterpret_cast<const Elf64_Phdr *>(&File[Header->e_phoff]);
  for (int I = 0; I != Header->e_phnum; ++I) {
    const Elf64_Phdr &P = Program[I];
    if (P.p_type != PT_LOAD)
      continue;
    ProgramAddr Begin(Bias + P.p_vaddr);
    Segments.push_back({Begin, P.p_offset, P.p_filesz});
    if (!(P.p_flags & PF_X))
      continue;
    ProgramAddr End = Begin + P.p_memsz;
    Text = {Text.Begin ? std::min(Text.Begin, Begin) : Begin,
            std::max(Text.End, End)};
  }

  auto *Sections = reinterpret_cast<const Elf64_Shdr *>(&File[Header->e_shoff]);
  for (int I = 0; I != Header->e_shnum; ++I) {
    if (Sections[I].sh_type != SHT_SYMTAB)
      continue;
    auto *Symbols =
        reinterpret_cast<const Elf64_Sym *>(&File[Sections[I].sh_offset]);
    auto *Names = reinterpret_cast<const char *>(
        &File[Sections[Sections[I].sh_link].sh_offset]);
    for (size_t S = 0; S != Sections[I].sh_size / sizeof(Elf64_Sym); ++S) {
      if (ELF64_ST_TYPE(Symbols[S].st_info) != STT_FUNC ||
          Symbols[S].st_shndx == SHN_UNDEF)
        continue;
      Function F;
      F.Name = Names + Symbols[S].st_name;
      F.Entry.Entry = ProgramAddr(Bias + Symbols[S].st_value);
      F.Entry.Size = Symbols[S].st_size;
      F.Entry.Patchable = StringRef(F.Name).contains("_patchable");
      All.push_back(std::move(F));
    }
  }
}

llvm::ArrayRef<uint8_t> TestProgram::fileBytes(ProgramAddr A,
                                               uint64_t Size) const {
  for (const Segment &S : Segments) {
    uint64_t Offset = static_cast<uint64_t>(A - S.Begin);
    if (A >= S.Begin && Offset < S.FileSize && Size <= S.FileSize - Offset)
      return llvm::ArrayRef<uint8_t>(File).slice(S.FileOffset + Offset, Size);
  }
  return {};
}

std::vector<TestProgram::Function>
TestProgram::functions(StringRef Prefix) const {
  std::vector<Function> Found;
  for (const Function &F : All)
    if (StringRef(F.Name).starts_with(Prefix))
      Found.push_back(F);
  return Found;
}

const TestProgram::Function *TestProgram::find(StringRef Name) const {
  for (const Function &F : All)
    if (F.Name == Name)
      return &F;
  return nullptr;
}

std::string referenceName(StringRef Name) {
  return "target_reference_" + Name.rsplit('_').second.str();
}

} // namespace hotjit
