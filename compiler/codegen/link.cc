#include "compiler/codegen/link.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "compiler/codegen/emit.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"
#include "runtime/base/file.h"

LLD_HAS_DRIVER(elf)

namespace convoke {
namespace {

struct LibcSymbol {
  char library;  // 'c' or 'm'
  const char* name;
  const char *x86_version, *arm_version;
};

constexpr LibcSymbol kLibcSymbols[] = {
#define CONVOKE_SYMBOL(library, name, x86, arm) {#library[0], #name, x86, arm},
#include "compiler/codegen/libc_symbols.inc"
#undef CONVOKE_SYMBOL
};

Status run_lld(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ld.lld");
  for (const char* common : {"--threads=1", "--build-id=none", "--hash-style=gnu", "-z", "noexecstack"}) {
    arguments.push_back(common);
  }
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::string errors;
  llvm::raw_string_ostream stream(errors);
  const lld::Result result = lld::lldMain(argv, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) return internal_error("LLD: " + errors);
  return ok_status();
}

// A library of empty functions with glibc's names and versions.
Status make_stub(const LinkInput& input, char library, const std::string& soname) {
  const bool x86 = input.triple.starts_with("x86_64");
  std::vector<std::string> names;
  std::map<std::string, std::string> versions;
  for (const LibcSymbol& symbol : kLibcSymbols) {
    if (symbol.library != library) continue;
    names.push_back(symbol.name);
    versions[std::string("GLIBC_") + (x86 ? symbol.x86_version : symbol.arm_version)] +=
        std::string(symbol.name) + "; ";
  }
  std::string script;
  for (const auto& [version, symbols] : versions) script += version + " { global: " + symbols + "};\n";
  ASSIGN_OR_RETURN(const std::string object, emit_stub_object(input.triple, names));
  const std::string path = input.directory + "/" + soname;
  RETURN_IF_ERROR(write_intermediate(input, soname + ".o", object));
  RETURN_IF_ERROR(write_intermediate(input, soname + ".map", script));
  return run_lld({"-shared", "-soname", soname, "-o", path, path + ".o", "--version-script=" + path + ".map"});
}

Result<std::string> link(const LinkInput& input, std::vector<std::string> arguments) {
  RETURN_IF_ERROR(make_stub(input, 'c', "libc.so.6"));
  RETURN_IF_ERROR(make_stub(input, 'm', "libm.so.6"));
  const std::string output = input.directory + "/linked";
  for (const std::string& object : input.objects) arguments.push_back(input.directory + "/" + object);
  for (const std::string& more : {input.directory + "/libm.so.6", input.directory + "/libc.so.6",
                                  std::string("--gc-sections"), std::string("-O2"), std::string("-o"), output}) {
    arguments.push_back(more);
  }
  for (const char* keyword : {"now", "relro", "defs"}) {
    arguments.push_back("-z");
    arguments.push_back(keyword);
  }
  if (input.symbols == Symbols::kStrip) arguments.push_back("-s");
  RETURN_IF_ERROR(run_lld(std::move(arguments)));
  return read_file(output);
}

}  // namespace

Status write_intermediate(const LinkInput& input, const std::string& name, std::string_view bytes) {
  const std::string path = input.directory + "/" + name;
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return unavailable(path + ": cannot write: " + std::strerror(errno));
  return ok_status();
}

Result<std::string> link_library(const LinkInput& input, const std::string& soname, const std::string& exported) {
  const std::string script = input.directory + "/exports.map";
  RETURN_IF_ERROR(write_intermediate(input, "exports.map", "{ global: " + exported + "; local: *; };\n"));
  return link(input, {"-shared", "-soname", soname, "-Bsymbolic", "--version-script=" + script});
}

Result<std::string> link_program(const LinkInput& input, const std::string& dynamic_loader) {
  return link(input, {"-pie", "--dynamic-linker=" + dynamic_loader, "--entry=_start"});
}

}  // namespace convoke
